"""Has a job that failed for good tried again, because somebody wants it."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from upstream.jobs import tracing
from upstream.jobs.queue import send
from upstream.jobs.registry import kind_of
from upstream.models import Job


def retry(job: Job) -> bool:
    """Queue a failed job anew, for as many attempts as its kind has; False where it is not a failed one any more.

    What its failure has changed stays until it is completed, or fails again. From now on the job is of the
    caller's trace.

    Raises:
        LookupError: there is no such kind of work any more.
    """
    kind = kind_of(job.name)
    job.traceparent = tracing.current()
    with transaction.atomic():
        queued = Job.objects.filter(pk=job.pk, status=Job.Status.FAILED).update(
            status=Job.Status.QUEUED,
            due_at=timezone.now(),
            sent_at=None,
            traceparent=job.traceparent,
            finished_at=None,
            max_attempts=F("attempts") + kind.attempts,
        )
        if queued:
            transaction.on_commit(lambda: send(job), robust=True)
    return bool(queued)
