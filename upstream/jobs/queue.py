"""Puts jobs into the table, and tells the broker of them."""

from __future__ import annotations

import datetime
import logging
from typing import Any

from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from upstream.jobs.registry import kind_of
from upstream.models import Customer, Job

_logger = logging.getLogger(__name__)
_HOLD = datetime.timedelta(hours=1)


def enqueue(name: str, customer: Customer, *, key: str | None = None, hold: bool = False, **arguments: Any) -> Job:
    """Have work done once the caller's transaction has committed; without one, now.

    With a `key` that a job has had before, that job is given back and nothing new is done. A job on `hold`
    is for `run_now` in this process, and done by others only if this one has not begun within the hour.

    Raises:
        LookupError: there is no such kind of work.
    """
    kind = kind_of(name)
    values = {
        "customer": customer,
        "name": name,
        "job_type": kind.job_type,
        "arguments": arguments,
        "max_attempts": kind.attempts,
        "due_at": timezone.now() + (_HOLD if hold else datetime.timedelta()),
    }
    if key is None:
        job, is_new = Job.objects.create(**values), True
    else:
        job, is_new = Job.objects.get_or_create(key=key, defaults=values)
    if is_new and not hold:
        transaction.on_commit(lambda: send(job), robust=True)
    return job


def send(job: Job) -> None:
    """Tell the broker of a job; where it cannot be reached, the sweeper tries again."""
    from upstream.celery import app

    try:
        app.send_task(kind_of(job.name).task_name, (job.pk,))
    except (OperationalError, OSError) as error:
        _logger.warning("job %s: the broker cannot be reached (%s); it is sent later", job.pk, type(error).__name__)
        return
    Job.objects.filter(pk=job.pk).update(sent_at=timezone.now())
