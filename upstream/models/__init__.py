"""What Upstream keeps: customers, claims and what was refused, drift, alerts, reports, and every job."""

from upstream.models.alerts import CRITICAL, Alert, AlertChannel, AlertDelivery, ChannelType
from upstream.models.claims import Claim, ClaimBatch, QualityScore, QualitySnapshot, RejectedRow
from upstream.models.customers import ApiToken, Customer, Payer
from upstream.models.drift import DriftEvent
from upstream.models.jobs import Job
from upstream.models.reports import Report

__all__ = [
    "CRITICAL",
    "Alert",
    "AlertChannel",
    "AlertDelivery",
    "ApiToken",
    "ChannelType",
    "Claim",
    "ClaimBatch",
    "Customer",
    "DriftEvent",
    "Job",
    "Payer",
    "QualityScore",
    "QualitySnapshot",
    "RejectedRow",
    "Report",
]
