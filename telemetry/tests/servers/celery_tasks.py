"""A Celery app with a task for each way in which a run can end, and a site that sends them.

Every run writes into a log of its own when it has begun and when it ends: what the metrics must agree with.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from celery import Celery
from celery.exceptions import Ignore, Reject
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

app = Celery("site")
app.config_from_object("django.conf:settings", namespace="CELERY")


def write(line: str) -> None:
    """One line into the log, whole whoever else writes."""
    with Path(os.environ["CELERY_LOG"]).open("ab", buffering=0) as file:
        file.write(f"{line} {os.getpid()}\n".encode())


@app.task
def succeed() -> None:
    write("begun")
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@app.task
def fail() -> None:
    write("begun")
    raise ValueError("what it says is nobody's business")


@app.task(bind=True)
def again(self: Any, times: int) -> None:
    """Asks for another run so many times."""
    write("begun")
    if self.request.retries < times:
        raise self.retry(exc=KeyError("not yet"), countdown=0.3, max_retries=None)


@app.task(bind=True, max_retries=1)
def in_vain(self: Any) -> None:
    """Asks for one run more than it may have."""
    write("begun")
    try:
        raise LookupError
    except LookupError as error:
        raise self.retry(exc=error, countdown=0) from error


@app.task
def ignore() -> None:
    write("begun")
    raise Ignore


@app.task(acks_late=True)
def reject() -> None:
    write("begun")
    raise Reject("no", requeue=False)


@app.task
def slow() -> None:
    write("begun")
    time.sleep(30)


@app.task
def deaf() -> None:
    """It cannot be told to end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    write("begun")
    time.sleep(30)


@app.task
def leave() -> None:
    write("begun")
    raise SystemExit(3)


@app.task
def work(seconds: float) -> None:
    """It is under way for so long."""
    write("begun")
    time.sleep(seconds)
    write("ended")


def send(request: HttpRequest, name: str, times: int) -> HttpResponse:
    """Send a task from a process that serves; the query is what `apply_async` takes of options."""
    options: dict[str, Any] = {key: float(str(value)) for key, value in request.GET.items()}
    arguments = {"again": (2,), "work": (options.pop("seconds", 0.0),)}.get(name, ())
    for _ in range(times):
        app.send_task(f"{__name__}.{name}", arguments, **options)
    return HttpResponse()


urlpatterns = [
    path("send/<str:name>/<int:times>", send, name="send"),
    path("", include("telemetry.tests.project.urls")),
]
