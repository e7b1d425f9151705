"""What background tasks leave in the store: Celery's, and those of Django's own framework."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

from wrapt import register_post_import_hook

from telemetry.catalogue.tasks import TaskCatalogue
from telemetry.instrumentation.guard import Guard
from telemetry.instrumentation.tasks._recorder import TaskRecorder
from telemetry.store import Store

if TYPE_CHECKING:
    from telemetry.instrumentation.tasks._celery import CeleryTasks
    from telemetry.instrumentation.tasks._django import DjangoTasks

__all__ = ["TaskInstrumentation"]


class TaskInstrumentation:
    """Records tasks from `install()` to `uninstall()`; `limit` is how many values a process records of a label.

    `running` is called when a worker begins a run, in its process; `ending` when a process of Celery's pool that has
    run tasks is about to end, for it runs no exit hooks. Both may be set.
    """

    def __init__(self, store: Store, catalogue: TaskCatalogue, guard: Guard, *, limit: int = 1000) -> None:
        self._guard = guard
        self._record = TaskRecorder(store, catalogue, guard, limit=limit)
        self._installed = False
        self._celery: CeleryTasks | None = None
        self._django: DjangoTasks | None = None
        self.running: Callable[[], None] = _nothing
        self.ending: Callable[[], None] = _nothing

    def install(self) -> None:
        """Watch each framework as soon as anything imports it, be it before or after this. Idempotent."""
        if self._installed:
            return
        self._installed = True
        # To import them here would cost every start of a project that does not use them.
        register_post_import_hook(self._celery_imported, "celery.signals")
        register_post_import_hook(self._django_imported, "django.tasks.signals")

    def uninstall(self) -> None:
        """Watch no more. Idempotent."""
        self._installed = False
        for watching in (self._celery, self._django):
            if watching is not None:
                watching.disconnect()

    def _celery_imported(self, signals: ModuleType) -> None:
        if not self._installed:
            return
        try:
            if self._celery is None:
                from telemetry.instrumentation.tasks._celery import CeleryTasks

                self._celery = CeleryTasks(self._record, self._guard, lambda: self.running(), lambda: self.ending())
            self._celery.connect()
        except Exception as exc:  # noqa: BLE001 - it would be the import that fails
            self._guard.failed("tasks.celery", exc)

    def _django_imported(self, signals: ModuleType) -> None:
        if not self._installed:
            return
        try:
            if self._django is None:
                from telemetry.instrumentation.tasks._django import DjangoTasks

                self._django = DjangoTasks(signals, self._record, self._guard, lambda: self.running())
            self._django.connect()
        except Exception as exc:  # noqa: BLE001 - it would be the import that fails
            self._guard.failed("tasks.django", exc)


def _nothing() -> None:
    pass
