"""Puts jobs into the table, and tells the broker of them."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from telemetry.instrumentation.privacy import stack
from upstream.jobs import tracing
from upstream.jobs.registry import kind_of
from upstream.models import Customer, Job

_logger = logging.getLogger(__name__)
_HOLD = datetime.timedelta(hours=1)
_held: ContextVar[list[Job] | None] = ContextVar("jobs that are sent at the end of an attempt", default=None)


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
        "traceparent": tracing.current(),
    }
    if key is None:
        job, is_new = Job.objects.create(**values), True
    else:
        job, is_new = Job.objects.get_or_create(key=key, defaults=values)
    if is_new and not hold:
        transaction.on_commit(lambda: _send_or_hold(job), robust=True)
    return job


def send(job: Job) -> None:
    """Tell the broker of a job, in the job's own trace; where it cannot be reached, the sweeper tries again."""
    from upstream.celery import app

    try:
        with tracing.joined(job.traceparent):
            app.send_task(kind_of(job.name).task_name, (job.pk,))
    except (OperationalError, OSError) as error:
        _logger.warning("job %s: the broker cannot be reached (%s); it is sent later", job.pk, type(error).__name__)
        return
    Job.objects.filter(pk=job.pk).update(sent_at=timezone.now())


@contextmanager
def sending_afterwards() -> Iterator[None]:
    """Tell the broker at the end of the block, not upon the commit, of what the block has enqueued.

    Work counts what it has stored when that has committed: to send a hundred jobs first would leave time to be
    killed in, and lose the counts. What is not sent for that reason the sweeper sends.
    """
    held: list[Job] = []
    token = _held.set(held)
    try:
        yield
    finally:
        _held.reset(token)
        for job in held:
            try:
                send(job)
            except Exception as error:  # noqa: BLE001 - the others are not to wait for this one
                _logger.error("job %s: the broker could not be told of it\n%s", job.pk, stack(error))


def _send_or_hold(job: Job) -> None:
    held = _held.get()
    if held is None:
        send(job)
    else:
        held.append(job)
