"""Reports: generated, failed, and how long that took."""

from __future__ import annotations

from enum import StrEnum

from telemetry.business._declare import counter, histogram
from telemetry.business.labels import CustomerId, ErrorType

_OWNER = "reporting"


class ReportType(StrEnum):
    """What a report is about."""

    DRIFT_SUMMARY = "drift_summary"
    PAYMENT_ANALYSIS = "payment_analysis"
    DENIAL_ANALYSIS = "denial_analysis"
    QUALITY_DASHBOARD = "quality_dashboard"


@counter("upstream_report_generated", owner=_OWNER, unit="{report}", question="How many reports are written, for whom?")
def REPORT_GENERATED(*, report_type: ReportType, customer_id: CustomerId) -> None:
    """Reports generated."""


@counter("upstream_report_generation_failed", owner=_OWNER, unit="{report}", question="Which reports fail, and why?")
def REPORT_GENERATION_FAILED(*, report_type: ReportType, error_type: ErrorType, customer_id: CustomerId) -> None:
    """Reports whose generation failed."""


@histogram(
    "upstream_report_generation_seconds",
    *(1, 5, 10, 30, 60, 120, 300, 600),
    owner=_OWNER,
    unit="s",
    question="How long does a report take?",
)
def REPORT_GENERATION(*, report_type: ReportType) -> None:
    """Time taken to generate a report, in seconds."""
