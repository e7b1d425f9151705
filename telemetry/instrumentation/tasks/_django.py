"""Django's own tasks framework, by its signals. Imported only where Django has it and something uses it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from time import time
from typing import Any

from telemetry.catalogue.tasks import DJANGO, FAILED, RETRIED, SUCCEEDED
from telemetry.instrumentation.guard import Guard
from telemetry.instrumentation.tasks._recorder import Run, TaskRecorder

_IMMEDIATE = "django.tasks.backends.immediate"
_MOST = 10_000
"""Runs that a process may have under way; of more, the oldest is taken for one whose end nobody tells."""


class DjangoTasks:
    """Records the tasks of every backend from `connect()` to `disconnect()`.

    `signals` is the module `django.tasks.signals`; `running` is called when a worker begins a run, in its process.
    """

    def __init__(self, signals: Any, record: TaskRecorder, guard: Guard, running: Callable[[], None]) -> None:
        self._record = record
        self._guard = guard
        self._running = running
        self._runs: dict[str, Run] = {}
        self._receivers = (
            (signals.task_enqueued, self._guarded(self._enqueued)),
            (signals.task_started, self._guarded(self._started)),
            (signals.task_finished, self._guarded(self._finished)),
        )

    def connect(self) -> None:
        """Watch; again changes nothing."""
        for signal, receiver in self._receivers:
            signal.connect(receiver, weak=False)

    def disconnect(self) -> None:
        """Watch no more; runs that are under way stay so."""
        for signal, receiver in self._receivers:
            signal.disconnect(receiver)

    def _guarded(self, receive: Callable[[Any, Any], None]) -> Callable[..., None]:
        where = f"tasks.django.{receive.__name__.strip('_')}"

        @wraps(receive)
        def receiver(sender: Any = None, task_result: Any = None, **_: object) -> None:
            try:
                receive(sender, task_result)
            except Exception as exc:  # noqa: BLE001
                self._guard.failed(where, exc)

        return receiver

    def _enqueued(self, sender: Any, result: Any) -> None:
        self._record.sent(DJANGO, result.task.module_path, result.task.queue_name)

    def _started(self, sender: Any, result: Any) -> None:
        run = self._record.begun(DJANGO, result.task.module_path, result.task.queue_name)
        if len(self._runs) >= _MOST:
            self._runs.pop(next(iter(self._runs)), None)
        self._runs[result.id] = run
        if _runs_at_once(sender):
            return
        # A further attempt is due when the backend says so, which it tells nobody.
        if result.attempts <= 1 and result.enqueued_at is not None:
            due = result.enqueued_at.timestamp()
            if result.task.run_after is not None:
                due = max(due, result.task.run_after.timestamp())
            self._record.waited(run, time() - due)
        self._running()

    def _finished(self, sender: Any, result: Any) -> None:
        run = self._runs.pop(result.id, None)
        if run is None:
            return
        if result.status == "SUCCESSFUL":
            self._record.ended(run, SUCCEEDED)
        else:
            exception = result.errors[-1].exception_class_path.removeprefix("builtins.") if result.errors else ""
            # One that is ready again will have another run.
            self._record.ended(run, RETRIED if result.status == "READY" else FAILED, exception)


def _runs_at_once(backend: Any) -> bool:
    """Whether it is the backend that runs a task where it is enqueued."""
    module = sys.modules.get(_IMMEDIATE)
    return module is not None and isinstance(backend, type) and issubclass(backend, module.ImmediateBackend)
