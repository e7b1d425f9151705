"""URLs that make every family count something."""

from __future__ import annotations

import contextlib
import itertools

from django.db import Error, connections
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from telemetry import runtime
from telemetry.business import measures


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
    return HttpResponse("done")


def failing(request: HttpRequest) -> HttpResponse:
    """A view that raises."""
    raise ValueError("for the test")


urlpatterns = [
    path("everything", everything, name="everything"),
    path("failing", failing, name="failing"),
    path("", include("hello_world.urls")),
]
