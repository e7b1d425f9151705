"""What a run of a task leaves in the store, whichever framework runs it."""

from __future__ import annotations

import os
from time import perf_counter

from opentelemetry.trace import SpanContext, get_current_span

from telemetry.catalogue.tasks import TaskCatalogue
from telemetry.instrumentation._http_values import qualified_name
from telemetry.instrumentation.guard import Bounded, Guard
from telemetry.instrumentation.underway import exemplar_of
from telemetry.spec import OVERFLOW
from telemetry.store import Store

LONGEST_WAIT = 366 * 86400.0
"""Seconds; what a message says that it has waited longer is not believed, so that none can ruin the sum."""
UNNAMED = "<unnamed>"


class Run:
    """One run of a task, in this process. `outer` is the exception that was being handled around it when it began."""

    __slots__ = ("key", "outer", "pid", "span", "start")

    def __init__(self, key: tuple[str, str, str], outer: BaseException | None, span: SpanContext | None) -> None:
        self.key = key
        self.outer = outer
        self.pid = os.getpid()
        self.span = span
        self.start = perf_counter()


class TaskRecorder:
    """Counts what the frameworks tell; `limit` is how many values a process records of a label, and how many pairs of
    task and queue: of those beyond, the queue is not told.

    Its methods may raise: who calls them guards, for only there is known what has not been counted.
    """

    def __init__(self, store: Store, catalogue: TaskCatalogue, guard: Guard, *, limit: int) -> None:
        self._sent = store.table(catalogue.sent)
        self._begun = store.table(catalogue.begun)
        self._waited = store.table(catalogue.waited)
        self._done = store.table(catalogue.done)
        self._done_sampled = store.table(catalogue.done_sampled)
        self._killed = store.table(catalogue.killed)
        self._revoked = store.table(catalogue.revoked)
        self._refused = store.table(catalogue.refused)
        self._task = Bounded("tasks.task", limit, guard)
        self._queue = Bounded("tasks.queue", limit, guard)
        self._exception = Bounded("tasks.exception", limit, guard)
        self._limit = limit
        self._guard = guard
        self._keys: set[tuple[str, str, str]] = set()

    def sent(self, system: str, task: object, queue: object) -> None:
        """A task has been handed over."""
        self._sent.add(self._key(system, task, queue))

    def begun(self, system: str, task: object, queue: object, outer: BaseException | None = None) -> Run:
        """A run begins."""
        key = self._key(system, task, queue)
        span = _sampled_span()
        self._begun.add(key)
        return Run(key, outer, span)

    def waited(self, run: Run, seconds: float) -> None:
        """It was due so long ago, by the clock of whoever sent it; one that is ahead of ours has waited 0."""
        if seconds <= LONGEST_WAIT:  # not a number is not
            self._waited.observe(run.key, max(seconds, 0.0))

    def ended(self, run: Run, outcome: str, exception: str = "") -> None:
        """It ends by itself; in a process that was forked off the run's there is nothing to end."""
        if run.pid != os.getpid():
            return
        elapsed = perf_counter() - run.start
        self._done.observe((*run.key, outcome, exception and self._exception(exception)), elapsed)
        span = run.span or _sampled_span()
        if span is not None:
            system, task, _ = run.key
            self._done_sampled.observe((system, task, outcome), elapsed, exemplar_of(span, elapsed))

    def killed(self, system: str, task: object, exception: str) -> None:
        """A run's process has been killed, or found dead, by its parent."""
        self._killed.add((system, self._task(_text(task)), self._exception(exception)))

    def revoked(self, system: str, task: object, queue: object, reason: str) -> None:
        """A task is not run, or not to its end."""
        self._revoked.add((*self._key(system, task, queue), reason))

    def refused(self, system: str, reason: str) -> None:
        """A message is no task."""
        self._refused.add((system, reason))

    def _key(self, system: str, task: object, queue: object) -> tuple[str, str, str]:
        key = system, self._task(_text(task)), self._queue(_text(queue))
        if key in self._keys or OVERFLOW in key:
            return key
        if len(self._keys) >= self._limit:
            self._guard.overflowed("tasks.queue")
            return *key[:2], OVERFLOW
        self._keys.add(key)
        return key


def name_of(exception: BaseException | None) -> str:
    """The name of an exception's class with its module, whatever the class makes of that; empty for none."""
    if exception is None:
        return ""
    try:
        return _text(qualified_name(exception)) or UNNAMED
    except Exception:  # noqa: BLE001 - a metaclass may do anything, and the run has ended all the same
        return UNNAMED


def _text(given: object) -> str:
    """A label's value: only text is one, for whatever else could be of any size, or fail at being shown."""
    return str.__str__(given) if isinstance(given, str) else ""


def _sampled_span() -> SpanContext | None:
    span = get_current_span().get_span_context()
    return span if span.trace_flags & 1 else None
