"""Every pass of work runs as a job: its start, its end and its failure are rows and metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError
from django.utils import timezone

from upstream import metrics
from upstream.models import Customer, JobRun

_logger = logging.getLogger(__name__)


@contextmanager
def run(job_type: JobRun.JobType, customer: Customer) -> Iterator[JobRun]:
    """Run the block as a job; a failure is recorded and raised on.

    Not to be entered inside a transaction of the caller's: the record of a failure must survive its rollback.
    """
    job = JobRun.objects.create(job_type=job_type, customer=customer)
    metrics.track_job_started(job.job_type, customer.code)
    began = time.perf_counter()
    try:
        yield job
    except BaseException as error:
        job.status, job.error_type, job.error = JobRun.Status.FAILED, type(error).__name__, str(error)[:2000]
        metrics.track_job_failed(job.job_type, job.error_type, customer.code)
        try:
            _finish(job, began)
        except DatabaseError:
            # What went wrong in the block matters more than that it could not be written down.
            _logger.exception("job %s: its failure could not be stored", job.pk)
        raise
    job.status = JobRun.Status.COMPLETED
    _finish(job, began)
    metrics.track_job_completed(job.job_type, customer.code)


def _finish(job: JobRun, began: float) -> None:
    metrics.track_job_duration(job.job_type, time.perf_counter() - began)
    job.finished_at = timezone.now()
    job.save(update_fields=["status", "error_type", "error", "finished_at"])
