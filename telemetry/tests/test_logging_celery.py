"""What Celery's own loggers say of tasks, as JSON, holds nothing that a task was given, gave or raised."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest
from celery.app import trace

from telemetry.instrumentation import privacy
from telemetry.tests.logged import shown

consumer: Any = import_module("celery.worker.consumer.consumer")
_WORKER = """
import logging
from celery import Celery
from celery.contrib.testing.worker import start_worker
from telemetry.logging import JsonFormatter

handler = logging.StreamHandler()
handler.setFormatter(JsonFormatter())
logging.basicConfig(level="DEBUG", handlers=[handler], force=True)
app = Celery("c", broker="memory://", backend="cache+memory://")
app.conf.worker_hijack_root_logger = False

@app.task(name="good")
def good(given, note=None):
    return "s3cret result"

@app.task(name="bad")
def bad(given, note=None):
    raise ValueError("s3cret message\\ns3cret detail")

@app.task(name="again", bind=True, max_retries=1, default_retry_delay=0)
def again(self, given, note=None):
    try:
        bad(given)
    except ValueError as error:
        raise self.retry(exc=error)

with start_worker(app, perform_ping_check=False, loglevel="DEBUG", pool="solo"):
    for task in (good, bad, again):
        task.delay("s3cret argument", note="s3cret").get(timeout=20, propagate=False)
    app.send_task("unknown", ("s3cret argument",))
    good.delay("s3cret").get(timeout=20)
"""


class TestCelery:
    """Of a task is told which one, and how it ended; nothing that it was given or gave."""

    @staticmethod
    def shown(message: str, **data: Any) -> dict[str, Any]:
        data = {"id": "5f", "name": "shop.sell", "args": "('s3cret',)", "kwargs": "{'a': 's3cret'}"} | data
        found = shown(name="celery.app.trace", msg=message, args=(data,), data=data)
        assert "s3cret" not in repr(found)
        return found

    def test_received(self) -> None:
        found = self.shown(trace.LOG_RECEIVED, eta=None)
        assert ("Task shop.sell[5f] received", {"id": "5f", "name": "shop.sell"}) == (found["message"], found["data"])

    def test_succeeded(self) -> None:
        found = self.shown(trace.LOG_SUCCESS, return_value="'s3cret'", runtime=0.5)
        assert "Task shop.sell[5f] succeeded in 0.5s" == found["message"]
        assert {"id": "5f", "name": "shop.sell", "runtime": 0.5} == found["data"]

    @pytest.mark.parametrize(
        ("template", "exc", "message"),
        [
            (trace.LOG_FAILURE, "ValueError('s3cret\\ns3cret')", "Task shop.sell[5f] raised: ValueError"),
            (trace.LOG_FAILURE, "<s3cret>", "Task shop.sell[5f] raised: an exception"),
            (trace.LOG_RETRY, "Retry in 3s: ValueError('s3cret')", "Task shop.sell[5f] retry: ValueError"),
            (trace.LOG_RETRY, "s3cret", "Task shop.sell[5f] retry: an exception"),
            (trace.LOG_REJECTED, "reject requeue=False: s3cret", "Task shop.sell[5f] an exception"),
            (trace.LOG_IGNORED, "Ignore('s3cret')", "Task shop.sell[5f] raised"),
            ("%(name)s with %(args)s and %(kwargs)s: %(exc)s", "KeyError('s3cret')", "shop.sell with REDACTED"),
            ("%(nobody)s %(exc)s", "KeyError('s3cret')", "%(nobody)s %(exc)s"),
        ],
    )
    def test_failed(self, template: str, exc: str, message: str) -> None:
        found = self.shown(template, exc=exc, traceback="s3cret", description="raised")
        assert found["message"].startswith(message)

    @pytest.mark.parametrize(
        ("template", "message"),
        [
            (consumer.UNKNOWN_TASK_ERROR, "Received unregistered task of type"),
            (consumer.INVALID_TASK_ERROR, "Received invalid task message:"),
            (consumer.UNKNOWN_FORMAT, "Received and deleted unknown message."),
            (consumer.MESSAGE_DECODE_ERROR, "Can't decode message body:"),
            ("TaskPool: Apply %s (args:%r kwargs:%r)", "TaskPool: Apply"),
            ("Couldn't convert ETA %r to timestamp: %r. Task: %r", "Couldn't convert ETA"),
        ],
    )
    def test_shows_of_messages_no_content(self, template: str, message: str) -> None:
        found = shown(name="celery.worker.consumer", msg=template, args=("s3cret",) * template.count("%"))
        assert found["message"].startswith(message)
        assert "s3cret" not in found["message"]

    def test_leaves_the_rest(self) -> None:
        assert "Connected to x" == shown(name="celery.worker", msg="Connected to %s", args=("x",))["message"]
        assert "a" == shown(name="celery.worker", msg="a", data="b")["message"]
        assert {"name": privacy.REDACTED} == shown(name="celeryish", msg="a", data={"name": "b"})["data"]

    def test_in_a_worker(self) -> None:
        """Everything that a worker of Celery's own logs about tasks that are given, give and raise data."""
        done = subprocess.run([sys.executable, "-c", _WORKER], capture_output=True, text=True, check=True, timeout=60)
        records = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        told = [record["message"].partition("[")[0] + record["message"].partition("]")[2] for record in records]
        assert {"Task good received", "Task bad raised unexpected: ValueError", "Task again retry: ValueError"} <= set(
            told
        )
        assert [] == [line for line in done.stderr.splitlines() if "s3cret" in line]
