"""The recording of tasks on a store of its own, for one test; and runs of Celery's tasks as a worker makes them."""

from __future__ import annotations

import uuid
from typing import Any

from celery import Celery, Task
from celery.app.trace import trace_task

from telemetry.catalogue.tasks import task_catalogue
from telemetry.instrumentation.tasks import TaskInstrumentation
from telemetry.store import MemoryStore, Store
from telemetry.tests.instrumentation.recording import Recording

OUTCOMES = ("succeeded", "failed", "retried", "ignored", "rejected")
STARTED, SENT = "telemetry_task_started_total", "telemetry_task_sent_total"
WAIT, DURATION = "telemetry_task_queue_wait_seconds", "telemetry_task_duration_seconds"
IN_FLIGHT, KILLED = "telemetry_tasks_in_flight", "telemetry_task_killed_total"
REVOKED, REFUSED = "telemetry_task_revoked_total", "telemetry_task_refused_total"

Ends = dict[tuple[str, ...], float]


class Calling(Task):  # type: ignore[type-arg]
    """Runs its tasks by way of `__call__`, for which Celery makes a request out of the first one's contents."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs)


class TaskRecording(Recording):
    """While the block runs, tasks are recorded here."""

    def __init__(self, store: Store | None = None, *, limit: int = 1000) -> None:
        super().__init__(store or MemoryStore())
        catalogue = task_catalogue()
        self.catalogues = (*self.catalogues, catalogue)  # type: ignore[assignment]
        self.tasks = TaskInstrumentation(self.store, catalogue, self.guard, limit=limit)

    def __enter__(self) -> TaskRecording:
        super().__enter__()
        self.tasks.install()
        return self

    def __exit__(self, *exc: object) -> None:
        self.tasks.uninstall()
        super().__exit__(*exc)

    def ends(self) -> Ends:
        """How often which outcome: by that, the task's last word, the exception where the family has one; no zeros."""
        found: Ends = {}
        for outcome in OUTCOMES:
            (family,) = (each for each in self.families() if each.family.name == f"telemetry_task_{outcome}_total")
            for labels, value in family.series:
                named = dict(labels)
                key = outcome, named["task"].rpartition(".")[2], *([named["exception"]] if "exception" in named else [])
                assert isinstance(value, float)
                if value:
                    found[key] = value
        return found

    def runs(self) -> tuple[float, float, float]:
        """How many runs have been started, have ended, and are under way."""
        return sum(self.values(STARTED).values()), sum(self.ends().values()), sum(self.values(IN_FLIGHT).values())


def an_app(**settings: Any) -> Celery:
    """A Celery app that is nobody's default, with a broker in memory."""
    app = Celery("tests", set_as_current=False, broker="memory://", backend="cache+memory://")
    app.conf.update(settings)
    return app


def run(task: Any, *args: Any, **request: Any) -> Any:
    """Run a task as the process of a pool does; `request` is what its message says beside the arguments."""
    said = {"id": uuid.uuid4().hex, "delivery_info": {"routing_key": "fast"}, "ignore_result": True, **request}
    # As the worker builds it anew in each process: the receivers may have changed.
    task.__trace__ = None
    return trace_task(task, said["id"], args, {}, said, app=task.app)
