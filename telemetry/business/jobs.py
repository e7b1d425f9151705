"""Background jobs: started, completed, failed, and how long they run."""

from __future__ import annotations

from enum import StrEnum

from telemetry.business._declare import counter, histogram
from telemetry.business.labels import CustomerId, ErrorType

_OWNER = "platform"


class JobType(StrEnum):
    """What a job does."""

    DRIFT_DETECTION = "drift_detection"
    REPORT_GENERATION = "report_generation"
    DATA_SYNC = "data_sync"
    DATA_EXPORT = "data_export"
    ALERT_PROCESSING = "alert_processing"


@counter("upstream_background_job_started", owner=_OWNER, unit="{job}", question="Do the jobs run?")
def BACKGROUND_JOB_STARTED(*, job_type: JobType, customer_id: CustomerId) -> None:
    """Background jobs started."""


@counter(
    "upstream_background_job_completed",
    owner=_OWNER,
    unit="{job}",
    question="Do the jobs that start come to their end?",
)
def BACKGROUND_JOB_COMPLETED(*, job_type: JobType, customer_id: CustomerId) -> None:
    """Background jobs completed."""


@counter("upstream_background_job_failed", owner=_OWNER, unit="{job}", question="Which jobs fail, and why?")
def BACKGROUND_JOB_FAILED(*, job_type: JobType, error_type: ErrorType, customer_id: CustomerId) -> None:
    """Background jobs that failed."""


@histogram(
    "upstream_background_job_duration_seconds",
    *(1, 5, 30, 60, 300, 600, 1800, 3600),
    owner=_OWNER,
    unit="s",
    question="Do jobs take longer than they used to?",
)
def BACKGROUND_JOB_DURATION(*, job_type: JobType) -> None:
    """Time taken by a background job, in seconds."""
