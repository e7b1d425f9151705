"""Alerts: raised, delivered, failed, suppressed, and how long that took."""

from __future__ import annotations

from enum import StrEnum

from telemetry.business._declare import counter, histogram
from telemetry.business.labels import CustomerId, ErrorType, Product

_OWNER = "alerting"


class Severity(StrEnum):
    """How urgent an alert is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Channel(StrEnum):
    """How an alert reaches a customer."""

    EMAIL = "email"
    SLACK = "slack"
    WEBHOOK = "webhook"


class Suppression(StrEnum):
    """Why an alert was not raised."""

    COOLDOWN = "cooldown"
    DUPLICATE = "duplicate"
    NOISE_PATTERN = "noise_pattern"


@counter(
    "upstream_alert_created", owner=_OWNER, unit="{alert}", question="How many alerts are raised, for whom, how urgent?"
)
def ALERT_CREATED(*, product: Product, severity: Severity, customer_id: CustomerId) -> None:
    """Alerts raised."""


@counter(
    "upstream_alert_delivered",
    owner=_OWNER,
    unit="{delivery}",
    question="Do alerts reach the customers, and by which channel?",
)
def ALERT_DELIVERED(*, product: Product, channel_type: Channel, customer_id: CustomerId) -> None:
    """Alerts delivered."""


@counter("upstream_alert_failed", owner=_OWNER, unit="{delivery}", question="Which deliveries fail, and why?")
def ALERT_FAILED(*, product: Product, channel_type: Channel, error_type: ErrorType, customer_id: CustomerId) -> None:
    """Alert deliveries that failed."""


@counter(
    "upstream_alert_suppressed",
    owner=_OWNER,
    unit="{alert}",
    question="How much noise is kept from the customers, and why?",
)
def ALERT_SUPPRESSED(*, product: Product, reason: Suppression, customer_id: CustomerId) -> None:
    """Alerts suppressed before they were raised."""


@histogram(
    "upstream_alert_processing_seconds",
    *(0.1, 0.5, 1, 2, 5, 10, 30, 60),
    owner=_OWNER,
    unit="s",
    question="How long does an alert take from being raised to being delivered?",
)
def ALERT_PROCESSING(*, product: Product) -> None:
    """Time taken to process an alert, in seconds."""
