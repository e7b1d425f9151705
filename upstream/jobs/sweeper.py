"""Finds the jobs that nobody works on though somebody should, and has them done."""

from __future__ import annotations

import datetime
import logging
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import Error, connection, transaction
from django.db.models import Q
from django.utils import timezone

from telemetry.instrumentation.privacy import stack
from upstream import metrics
from upstream.jobs.queue import send
from upstream.jobs.registry import kinds
from upstream.models import Job

_logger = logging.getLogger(__name__)

WORKER_LOST = "WorkerLost"
"""The `error_type` of an attempt whose process was killed or has stopped moving."""
_COURTESY = 0.2
"""Seconds; who waits for SQLite's lock looks every 0.1 s whether it is free."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did: attempts found dead, jobs that the broker was told of again."""

    lost: int
    sent: int


def sweep() -> Swept:
    """End the attempts whose lease has run out, and send what is due and was not, or too long ago.

    Any number of sweeps may run at once: each job is taken by one of them.
    """
    lost = 0
    for job in _overdue():
        try:
            lost += _lost(job)
        except Error as error:
            # The others are not to wait for this one.
            _logger.error("%s: that it was lost could not be stored\n%s", job, stack(error))
    now = timezone.now()
    # A message may wait behind others for long: to send it again too soon would only make more of them.
    patience = now - datetime.timedelta(seconds=settings.UPSTREAM_RESEND_SECONDS)
    waiting = Job.objects.filter(status=Job.Status.QUEUED, due_at__lte=now, name__in=kinds()).filter(
        Q(sent_at=None) | Q(sent_at__lt=patience)
    )
    sent = 0
    for job in waiting.order_by("due_at"):
        # Decided in the table, so that two sweeps at once do not both send it.
        if Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED, sent_at=job.sent_at).update(sent_at=now):
            send(job)
            sent += 1
    return Swept(lost, sent)


def _overdue() -> list[Job]:
    found = list(Job.objects.filter(status=Job.Status.RUNNING, lease_until__lt=timezone.now()))
    if found and not connection.features.has_select_for_update:
        # SQLite has one writer: while there was one, nobody could renew a lease. Those who wait to come first.
        with transaction.atomic():
            pass
        time.sleep(_COURTESY)
    return found


def _lost(job: Job) -> bool:
    now = timezone.now()
    changes: dict[str, Any] = {
        "lease": None,
        "lease_until": None,
        "error_type": WORKER_LOST,
        "error": f"attempt {job.attempts} was not heard of since {job.lease_until:%Y-%m-%d %H:%M:%S}",
    }
    final = job.attempts >= job.max_attempts
    if final:
        changes |= {"status": Job.Status.FAILED, "finished_at": now}
    else:
        changes |= {"status": Job.Status.QUEUED, "due_at": now, "sent_at": None}
    with transaction.atomic():
        if not Job.objects.filter(pk=job.pk, lease=job.lease, lease_until__lt=now).update(**changes):
            return False
        for name, value in changes.items():
            setattr(job, name, value)
        # A kind that this version does not have any more has nothing to give up.
        kind = kinds().get(job.name)
        if final and kind:
            kind.give_up(job)
    _logger.warning("%s: %s", job, job.error)
    metrics.track_job_failed(job.job_type, WORKER_LOST, job.customer.code)
    return True
