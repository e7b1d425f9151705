"""URLs that make every family count something."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from typing import Any

from celery import signals
from celery.app.task import Context
from celery.exceptions import TimeLimitExceeded
from django.db import Error, connections
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from telemetry import runtime
from telemetry.business import measures
from telemetry.tests.instrumentation.task_recording import an_app, run


def everything(request: HttpRequest) -> HttpResponse:
    """Every business metric with every closed value of its labels, for three customers; statements, good and bad."""
    for measure in measures().values():
        labels = measure.labels.values()
        values = (
            label.values or (("c1", "c2", "c3") if label.name == "customer_id" else ("some",)) for label in labels
        )
        for combination in itertools.product(*values):
            measure.offer(0.5, **dict(zip(measure.labels, combination, strict=True)))
    next(iter(measures().values())).offer("unfit")
    runtime.get().guard.failed("test", ValueError("for the test"))
    with connections["default"].cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS numbers (n integer)")
        cursor.executemany("INSERT INTO numbers VALUES (%s)", [(1,), (2,)])
        cursor.execute("SELECT n FROM numbers")
        with contextlib.suppress(Error):
            cursor.execute("SELECT n FROM nowhere")
    with contextlib.suppress(Error):
        connections["unreachable"].ensure_connection()
    _tasks()
    return HttpResponse("done")


def _tasks() -> None:
    """Runs of a Celery task that succeed, fail, are retried, lost and revoked."""

    @an_app().task(shared=False, name="test.task", bind=True, max_retries=1)
    def task(self: Any, what: str) -> None:
        if what == "dies":
            os._exit(0)
        if what == "fails":
            raise ValueError
        if what == "retries":
            raise self.retry(countdown=0)

    task.delay("succeeds")
    for what in ("succeeds", "fails", "retries"):
        run(task, what, telemetry_sent=time.time(), delivery_info={"routing_key": "celery"})
    child = os.fork()
    if child == 0:
        run(task, "dies")
    os.waitpid(child, 0)
    signals.task_failure.send(task, task_id="of the run that died", exception=TimeLimitExceeded(1))
    signals.task_revoked.send(task, request=Context(), terminated=False, expired=True)


def failing(request: HttpRequest) -> HttpResponse:
    """A view that raises."""
    raise ValueError("for the test")


urlpatterns = [
    path("everything", everything, name="everything"),
    path("failing", failing, name="failing"),
    path("", include("hello_world.urls")),
]
