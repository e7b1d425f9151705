"""One attempt at a job: taken by a lease, kept alive while it works, and over in one way only."""

from __future__ import annotations

import datetime
import logging
import random
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import Error, connection, transaction
from django.utils import timezone

from telemetry.instrumentation.privacy import stack
from upstream import metrics
from upstream.errors import Later, Permanent
from upstream.jobs.queue import sending_afterwards
from upstream.jobs.registry import Kind, kind_of
from upstream.models import Customer, Job

_logger = logging.getLogger(__name__)

LONGEST_WAIT = 3600.0
"""Seconds between two attempts, at most."""
# A broker's timers and the table's clock are not the same.
_EARLY = datetime.timedelta(seconds=1)


class LeaseLost(Exception):
    """Another attempt has been given the job meanwhile, so this one's effects must not be stored."""


class AttemptFailed(Exception):
    """An attempt failed, for the reason that is its cause; `again_in` are the seconds to the next, None if none is.

    What went wrong may be told in words out of a file of claims: those are the job's, and not this message's.
    """

    def __init__(self, told: str, again_in: float | None) -> None:
        super().__init__(told, again_in)
        self.again_in = again_in

    def __str__(self) -> str:
        return str(self.args[0])


class Run:
    """What the work of a job gets: the job, and the transaction that completes it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.result: dict[str, Any] = {}
        """What the job came to, for those who ask for it; plain JSON."""
        self.completed = False
        self._began = time.perf_counter()

    @property
    def customer(self) -> Customer:
        """Whose job it is."""
        return self.job.customer

    @contextmanager
    def completing(self) -> Iterator[None]:
        """A transaction that completes the job together with what the block stores: both, or neither.

        What goes wrong in what is done upon its commit is logged: the job is completed, and so is its measuring.

        Raises:
            LeaseLost: the job is another attempt's by now; nothing of the block is stored.
        """
        try:
            with transaction.atomic(durable=True):
                # Before all else that is done upon the commit: a process that is killed in between loses the count.
                transaction.on_commit(self._count)
                yield
                now = timezone.now()
                done = {"status": Job.Status.COMPLETED, "finished_at": now, "error_type": "", "error": ""}
                _leave(self.job, **done, result=self.result)
        except Exception as error:
            if not self.completed:
                raise
            _logger.error("%s: something went wrong after the commit\n%s", self.job, stack(error))
        self._count()

    def seconds(self) -> float:
        """How long the attempt has taken so far."""
        return time.perf_counter() - self._began

    def _count(self) -> None:
        # Called again where a test's transaction is around this one and nothing commits.
        if self.completed:
            return
        self.completed = True
        metrics.track_job_completed(self.job.job_type, self.job.customer.code)
        metrics.track_job_duration(self.job.job_type, self.seconds())


def attempt(job_id: int) -> None:
    """Try a job once, if it is to be tried now and nobody else does; else do nothing.

    Not to be called in a transaction: what is recorded of a failure must survive its rollback.

    Raises:
        AttemptFailed: it failed, and that is recorded.
    """
    job = _take(job_id)
    if job is None:
        _logger.info("job %s: finished, not due, or another's; nothing to do", job_id)
        return
    kind = kind_of(job.name)
    run = Run(job)
    try:
        with _keeping(job), sending_afterwards():
            kind.work(run)
            if not run.completed:
                with run.completing():
                    pass
    except LeaseLost:
        # Who took the lease away has counted this attempt.
        _logger.warning("%s: the lease was lost; what was done is rolled back", job)
        return
    except BaseException as error:
        if run.completed:
            # A time limit may strike after the commit too: what is stored is not done again.
            _logger.error("%s: something went wrong after the commit\n%s", job, stack(error))
            if isinstance(error, Exception):
                return
            raise
        again_in = _fail(job, kind, error, run.seconds())
        if not isinstance(error, Permanent):
            _logger.error("%s failed\n%s", job, stack(error))
        if not isinstance(error, Exception):
            raise
        raise AttemptFailed(f"{job}: {job.error_type}", again_in) from error


def run_now(job: Job) -> None:
    """Try a job on hold in this process, once and for all; afterwards it is finished and `job` is up to date.

    Raises:
        Exception: what the work raised.
    """
    now = timezone.now()
    Job.objects.filter(pk=job.pk).update(max_attempts=1, due_at=now, sent_at=now)
    try:
        attempt(job.pk)
    except AttemptFailed as failed:
        raise (failed.__cause__ or failed) from None
    finally:
        job.refresh_from_db()


def _take(job_id: int) -> Job | None:
    # Read before it is taken, so that there is nothing between the commit and the count.
    job = Job.objects.select_related("customer").filter(pk=job_id, status=Job.Status.QUEUED).first()
    if job is None:
        return None
    with transaction.atomic():
        # The time of now, not of before: who waits for SQLite's one writer may wait for longer than a lease lasts.
        now = timezone.now()
        changes: dict[str, Any] = {
            "status": Job.Status.RUNNING,
            "lease": uuid.uuid4(),
            "lease_until": now + lease_time(),
            "started_at": now,
            "attempts": job.attempts + 1,
        }
        free = Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED, attempts=job.attempts)
        taken = free.filter(due_at__lte=now + _EARLY).update(**changes)
    if not taken:
        return None
    metrics.track_job_started(job.job_type, job.customer.code)
    for name, value in changes.items():
        setattr(job, name, value)
    return job


def lease_time() -> datetime.timedelta:
    """How long an attempt is taken to be alive after it was last heard of."""
    return datetime.timedelta(seconds=settings.UPSTREAM_JOB_LEASE_SECONDS)


def _leave(job: Job, **changes: Any) -> None:
    """Give the lease back; inside the transaction that must not commit without it."""
    left = Job.objects.filter(pk=job.pk, lease=job.lease).update(lease=None, lease_until=None, **changes)
    if not left:
        raise LeaseLost(str(job))
    for name, value in changes.items():
        setattr(job, name, value)


def _fail(job: Job, kind: Kind, error: BaseException, seconds: float) -> float | None:
    final = isinstance(error, Permanent) or job.attempts >= job.max_attempts
    again_in = None if final else _wait(job.attempts, error)
    now = timezone.now()
    changes: dict[str, Any] = {"error_type": type(error).__name__, "error": str(error)[:2000]}
    if again_in is None:
        changes |= {"status": Job.Status.FAILED, "finished_at": now}
    else:
        due_at = now + datetime.timedelta(seconds=again_in)
        changes |= {"status": Job.Status.QUEUED, "due_at": due_at, "sent_at": due_at}
    if not connection.in_atomic_block:
        # What failed may be the connection.
        connection.close_if_unusable_or_obsolete()
    try:
        with transaction.atomic():
            _leave(job, **changes)
            if again_in is None:
                kind.give_up(job)
    except (Error, LeaseLost) as reason:
        # The sweeper will find it, and count it then.
        _logger.error("%s: its failure could not be stored\n%s", job, stack(reason))
        return None
    metrics.track_job_duration(job.job_type, seconds)
    metrics.track_job_failed(job.job_type, job.error_type, job.customer.code)
    return again_in


def _wait(attempts: int, error: BaseException) -> float:
    """Seconds before the next attempt: longer each time, and not the same for all that failed together."""
    longest = min(LONGEST_WAIT, settings.UPSTREAM_RETRY_SECONDS * 4.0 ** (attempts - 1))
    asked = min(LONGEST_WAIT, error.again_in) if isinstance(error, Later) else 0.0
    return max(asked, longest * random.uniform(0.8, 1.0))  # noqa: S311 - no secret


@contextmanager
def _keeping(job: Job) -> Iterator[None]:
    """Tell from a thread of its own, from a connection of its own, that the attempt is alive."""
    over = threading.Event()
    thread = threading.Thread(target=_keep, args=(job, over), name=f"lease of job {job.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _keep(job: Job, over: threading.Event) -> None:
    while not over.wait(settings.UPSTREAM_JOB_LEASE_SECONDS / 3):
        try:
            with transaction.atomic():
                # From now on, not from when the waiting for SQLite's one writer began.
                until = timezone.now() + lease_time()
                Job.objects.filter(pk=job.pk, lease=job.lease).update(lease_until=until)
        except Error as error:
            # Tried again before the lease is over, unless it is SQLite that had another writer for too long.
            _logger.info("%s: the lease could not be renewed (%s)", job, type(error).__name__)
        finally:
            connection.close()
