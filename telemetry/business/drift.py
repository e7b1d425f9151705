"""Drift: events and signals that detection finds, and how long it computes."""

from __future__ import annotations

from enum import StrEnum

from telemetry.business._declare import counter, histogram
from telemetry.business._fit import check_number
from telemetry.business.labels import CustomerId, Product

_OWNER = "detection"


class DriftType(StrEnum):
    """What about a payer drifts."""

    PAYMENT_DELAY = "payment_delay"
    DENIAL_RATE = "denial_rate"
    ADJUSTMENT_PATTERN = "adjustment_pattern"
    CODE_MAPPING_CHANGE = "code_mapping_change"
    AR_AGING = "ar_aging"


class SeverityLevel(StrEnum):
    """A severity score in words."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @classmethod
    def of(cls, score: float) -> SeverityLevel:
        """The level of a score from 0.0 to 1.0: 0.7 and above is high, 0.4 and above medium, else low.

        Raises:
            Unfit: the score is not a number from 0.0 to 1.0; a ValueError.
        """
        check_number(score, 0.0, 1.0)
        return cls.HIGH if score >= 0.7 else cls.MEDIUM if score >= 0.4 else cls.LOW


class DenialSignal(StrEnum):
    """How denials change."""

    RATE_CHANGE = "rate_change"
    PATTERN_SHIFT = "pattern_shift"


@counter(
    "upstream_drift_event_detected",
    owner=_OWNER,
    unit="{event}",
    question="Which kinds of drift are found, how severe, for whom?",
)
def DRIFT_EVENT_DETECTED(
    *, product: Product, drift_type: DriftType, severity_level: SeverityLevel, customer_id: CustomerId
) -> None:
    """Drift events detected."""


@histogram(
    "upstream_drift_computation_seconds",
    *(1, 5, 10, 30, 60, 120, 300, 600),
    owner=_OWNER,
    unit="s",
    question="Does a detection pass end before the next one is due?",
)
def DRIFT_COMPUTATION(*, product: Product) -> None:
    """Time taken to compute drift, in seconds."""


@counter(
    "upstream_payment_delay_signal",
    owner=_OWNER,
    unit="{signal}",
    question="For whom do payments come later, and how much later?",
)
def PAYMENT_DELAY_SIGNAL(*, severity: SeverityLevel, customer_id: CustomerId) -> None:
    """Signals that payments come later."""


@counter("upstream_denial_signal", owner=_OWNER, unit="{signal}", question="For whom do denials change, and how?")
def DENIAL_SIGNAL(*, signal_type: DenialSignal, customer_id: CustomerId) -> None:
    """Signals that denials change."""
