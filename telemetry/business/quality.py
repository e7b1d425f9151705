"""Ingestion and the quality of what comes in."""

from __future__ import annotations

from enum import StrEnum

from telemetry.business._declare import counter, histogram, score
from telemetry.business.labels import CustomerId

_OWNER = "ingestion"


class QualityMetric(StrEnum):
    """What a batch is scored for."""

    COMPLETENESS = "completeness"
    ACCURACY = "accuracy"
    TIMELINESS = "timeliness"
    CONSISTENCY = "consistency"


class Check(StrEnum):
    """What a row is checked for."""

    MISSING_REQUIRED_FIELD = "missing_required_field"
    INVALID_FORMAT = "invalid_format"
    OUT_OF_RANGE = "out_of_range"
    REFERENTIAL_INTEGRITY = "referential_integrity"
    DUPLICATE_RECORD = "duplicate_record"


class CheckSeverity(StrEnum):
    """How bad a failed check is."""

    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class IngestionStatus(StrEnum):
    """What became of a record."""

    SUCCESS = "success"
    FAILED = "failed"
    PARTIAL = "partial"


@score(
    "upstream_data_quality_score", owner=_OWNER, unit="1", question="How good is the data of a customer's last batch?"
)
def DATA_QUALITY_SCORE(*, customer_id: CustomerId, metric_type: QualityMetric) -> None:
    """Quality of the data ingested last, from 0.0 to 1.0."""


@counter(
    "upstream_data_quality_check_failed",
    owner=_OWNER,
    unit="{check}",
    question="Which checks fail, how badly, for whom?",
)
def DATA_QUALITY_CHECK_FAILED(*, check_type: Check, severity: CheckSeverity, customer_id: CustomerId) -> None:
    """Data quality checks that failed."""


@counter(
    "upstream_claim_records_ingested",
    owner=_OWNER,
    unit="{claim}",
    question="How many claims come in, and do they get through?",
)
def CLAIM_RECORDS_INGESTED(*, customer_id: CustomerId, status: IngestionStatus) -> None:
    """Claim records ingested."""


@histogram(
    "upstream_ingestion_processing_seconds",
    *(0.5, 1, 5, 10, 30, 60, 120, 300),
    owner=_OWNER,
    unit="s",
    question="How long does a customer wait until a file is in?",
)
def INGESTION_PROCESSING(*, customer_id: CustomerId) -> None:
    """Time taken to ingest a batch, in seconds."""
