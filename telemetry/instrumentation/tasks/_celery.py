"""Celery, by its signals. Imported only where Celery is.

A run is told by `task_prerun` and `task_postrun`, which come in the process or thread that runs the task, in pairs,
however it ends. What the parent of a pool knows better, it tells by `task_failure` and `task_revoked`.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from time import perf_counter, time
from typing import Any
from weakref import WeakKeyDictionary

from celery import exceptions, signals, states

from telemetry.catalogue.tasks import (
    CELERY,
    EXPIRED,
    FAILED,
    IGNORED,
    INVALID,
    REJECTED,
    RETRIED,
    REVOKED,
    SUCCEEDED,
    TERMINATED,
    UNKNOWN,
)
from telemetry.instrumentation.guard import Guard
from telemetry.instrumentation.tasks._recorder import Run, TaskRecorder, name_of

HEADER = "telemetry_sent"
"""The header of a message that tells when it was sent, as Unix time in seconds."""

_OUTCOMES: dict[object, str] = {
    states.SUCCESS: SUCCEEDED,
    states.FAILURE: FAILED,
    states.RETRY: RETRIED,
    states.IGNORED: IGNORED,
    states.REJECTED: REJECTED,
}
_BY_PARENT = (exceptions.TimeLimitExceeded, exceptions.WorkerLostError)
_SAME_KILL = 1.0
"""Seconds within which a second word of the parent about a run is of the same end of it."""
_DELAY = re.compile(r"(?:[01]\.){28}")
"""What Celery puts before a routing key where RabbitMQ is to hold the message back: for how many seconds, in bits."""


class CeleryTasks:
    """Records the tasks of every Celery app from `connect()` to `disconnect()`.

    `running` is called when a worker begins a run, in its process, and `ending` when a process of a pool that has
    run something is about to end: it runs no exit hooks.
    """

    def __init__(
        self, record: TaskRecorder, guard: Guard, running: Callable[[], None], ending: Callable[[], None]
    ) -> None:
        self._record = record
        self._guard = guard
        self._running = running
        self._ending = ending
        self._ran = False
        self._killed: tuple[object, float] = None, 0.0
        # Not on the request: what Celery does not know there, it may take for a header of the next try's message.
        self._runs: WeakKeyDictionary[Any, Run] = WeakKeyDictionary()
        # Several may record the same run, as in tests.
        self._uid = f"telemetry_{id(self):x}"
        self._receivers = {
            signals.before_task_publish: self._guarded(self._publishing),
            signals.after_task_publish: self._guarded(self._published),
            signals.task_prerun: self._prerun,
            signals.task_postrun: self._postrun,
            signals.task_failure: self._guarded(self._failure),
            signals.task_revoked: self._guarded(self._revoked),
            signals.task_unknown: self._guarded(self._unknown),
            signals.task_rejected: self._guarded(self._rejected),
            signals.worker_process_shutdown: self._guarded(self._shutdown),
        }

    def connect(self) -> None:
        """Watch; again changes nothing."""
        for signal, receiver in self._receivers.items():
            signal.connect(receiver, weak=False, dispatch_uid=self._uid)

    def disconnect(self) -> None:
        """Watch no more; runs that are under way stay so."""
        for signal, receiver in self._receivers.items():
            signal.disconnect(receiver, dispatch_uid=self._uid)

    def _guarded(self, receive: Callable[..., None]) -> Callable[..., None]:
        where = f"tasks.celery.{receive.__name__.strip('_')}"

        @wraps(receive)
        def receiver(sender: Any = None, **named: Any) -> None:
            try:
                receive(sender, **named)
            except Exception as exc:  # noqa: BLE001
                self._guard.failed(where, exc)

        return receiver

    def _publishing(self, sender: object, *, headers: Any = None, **_: object) -> None:
        # Also over one that a retry has taken on from its run's message.
        if isinstance(headers, dict):
            headers[HEADER] = time()

    def _published(self, sender: object, *, routing_key: object = None, **_: object) -> None:
        self._record.sent(CELERY, sender, _undelayed(routing_key))

    def _prerun(self, sender: Any = None, **_: object) -> None:
        try:
            request = sender.request
            run = self._record.begun(CELERY, sender.name, _queue(request), sys.exc_info()[1])
            self._runs[request] = run
            if not request.is_eager:
                self._ran = True
                try:
                    due = _due(sender, request)
                    if due is not None:
                        self._record.waited(run, time() - due)
                finally:
                    self._running()
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("tasks.celery.prerun", exc)

    def _postrun(self, sender: Any = None, *, state: object = None, retval: Any = None, **_: object) -> None:
        try:
            run = self._runs.pop(sender.request, None)
            if run is not None:
                self._end(sender, run, state, retval)
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("tasks.celery.postrun", exc)

    def _end(self, task: Any, run: Run, state: object, retval: Any) -> None:
        exception: Any = None
        raised = sys.exc_info()[1]
        # Without a state Celery lets it through, be it the one that was being handled around the run.
        if raised is None or (raised is run.outer and state is not None):
            outcome = _OUTCOMES.get(state, IGNORED)
            if outcome in (FAILED, RETRIED):
                exception = retval
        # It is broken off: by an exception that Celery lets through, or by one of Celery's own around the task.
        elif _told_to_end():
            if not _out_of_time(task, run):
                return  # with its process, which is about to die: then it is lost
            outcome, exception = FAILED, exceptions.TimeLimitExceeded()
        else:
            outcome, exception = _raised_outcome(raised), raised
        if outcome == RETRIED and _is(exception, exceptions.Retry):
            exception = exception.exc
        self._record.ended(run, outcome, name_of(exception) if _is(exception, BaseException) else "")

    def _failure(self, sender: Any, *, task_id: object = None, exception: Any = None, **_: object) -> None:
        # The same types may end a run by itself, which asks another one for its result.
        if not _is(exception, *_BY_PARENT) or sender.request in self._runs:
            return
        # Of a hard time limit Celery tells twice, one right after the other.
        now = perf_counter()
        last, at = self._killed
        if task_id is None or task_id != last or now - at > _SAME_KILL:
            self._killed = task_id, now
            self._record.killed(CELERY, sender.name, name_of(exception))

    def _revoked(
        self, sender: Any, *, request: Any = None, terminated: object = False, expired: object = False, **_: object
    ) -> None:
        reason = TERMINATED if terminated else EXPIRED if expired else REVOKED
        self._record.revoked(CELERY, sender.name, _queue(request), reason)

    def _unknown(self, sender: object, **_: object) -> None:
        self._record.refused(CELERY, UNKNOWN)

    def _rejected(self, sender: object, **_: object) -> None:
        self._record.refused(CELERY, INVALID)

    def _shutdown(self, sender: object, **_: object) -> None:
        if self._ran:
            self._ending()


def _queue(request: Any) -> object:
    """The key by which the message was routed: in Celery's default set-up the name of the queue."""
    delivery = request.delivery_info
    return _undelayed(delivery.get("routing_key")) if isinstance(delivery, dict) else None


def _undelayed(key: object) -> object:
    return _DELAY.sub("", key, count=1) if isinstance(key, str) and _DELAY.match(key) else key


def _due(task: Any, request: Any) -> float | None:
    """The Unix time from which on the run was to begin; None where the message does not tell."""
    sent = request.get(HEADER)
    if type(sent) not in (float, int):
        return None
    try:
        sent = float(sent)
        eta = None if request.eta is None else datetime.fromisoformat(request.eta)
    except (OverflowError, TypeError, ValueError):
        return None
    if not math.isfinite(sent):
        return None
    if eta is None:
        return sent
    if eta.tzinfo is None:
        eta = eta.replace(tzinfo=task.app.timezone)
    return max(sent, eta.timestamp())


def _raised_outcome(raised: BaseException) -> str:
    if _is(raised, exceptions.Retry):
        return RETRIED
    if _is(raised, exceptions.Reject):
        return REJECTED
    return IGNORED if _is(raised, exceptions.Ignore) else FAILED


def _is(given: object, *kinds: type) -> bool:
    """Whether it is one of these by its type: `isinstance` would run what a class makes of `__class__`."""
    return issubclass(type(given), kinds)


def _told_to_end() -> bool:
    """Whether this is a process of a pool that a signal has told to end."""
    common = sys.modules.get("billiard.common")
    fired = getattr(common, "terminate_handler_fired", None)
    return bool(fired() if fired else getattr(common, "_should_have_exited", (False,))[0])


def _out_of_time(task: Any, run: Run) -> bool:
    """Whether that was the worker's way to enforce the task's hard time limit."""
    limit = (task.request.timelimit or (None,))[0] or task.time_limit
    # The worker's clock runs since it gave the task to the process, ours since the process has unpacked it.
    return bool(limit) and perf_counter() - run.start >= 0.9 * limit
