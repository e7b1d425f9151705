"""What may come between a commit and its count, and between a lease and its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction

from telemetry.tests.servers.harness import CHECKOUT
from upstream import jobs, metrics
from upstream.celery import app
from upstream.jobs import registry
from upstream.models import Customer, Job, Payer
from upstream.tests.conftest import Calls, named

Declare = Callable[[registry.Work], object]


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Declare a kind of work for one test, by the name of "errand"."""
    monkeypatch.setattr(registry, "_kinds", dict(registry.kinds()))
    monkeypatch.setattr(app, "send_task", lambda name, args: None)
    return jobs.kind("errand", Job.JobType.DATA_EXPORT)


def attempted(customer: Customer) -> str:
    """The status of an errand after one attempt."""
    job = jobs.enqueue("errand", customer)
    jobs.attempt(job.pk)
    job.refresh_from_db()
    return job.status


@pytest.mark.django_db(transaction=True)
class TestCount:
    """A process that is killed between a commit and its count loses the count: nothing may be in between."""

    def test_of_a_beginning_follows_its_commit(
        self, customer: Customer, declare: Declare, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[str] = []

        def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            done.append(sql.split(" ")[0])
            return execute(sql, params, many, context)

        monkeypatch.setattr(metrics, "track_job_started", lambda *labels: done.append("started"))
        declare(lambda run: None)
        with connection.execute_wrapper(note):
            attempted(customer)
        assert "UPDATE" == done[done.index("started") - 1]

    def test_of_an_end_comes_before_all_that_follows_the_commit(
        self, customer: Customer, declare: Declare, tracked: Calls
    ) -> None:
        counted: list[int] = []

        def work(run: jobs.Run) -> None:
            with run.completing():
                transaction.on_commit(lambda: counted.append(len(named(tracked, "track_job_completed"))))

        declare(work)
        assert "completed" == attempted(customer)
        assert [1] == counted

    @pytest.mark.parametrize("error", [OSError("the disk is full"), RuntimeError("the broker is mad")])
    def test_is_not_lost_by_what_fails_upon_the_commit(
        self, customer: Customer, declare: Declare, tracked: Calls, error: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail() -> None:
            raise error

        def work(run: jobs.Run) -> None:
            with run.completing():
                transaction.on_commit(fail)
            metrics.track_report_generated("denial_analysis", "mercy")

        declare(work)
        assert "completed" == attempted(customer)
        assert [("data_export", "mercy")] == named(tracked, "track_job_completed")
        assert [] == named(tracked, "track_job_failed")
        assert [("denial_analysis", "mercy")] == named(tracked, "track_report_generated"), "what the work measures"
        assert "something went wrong after the commit" in caplog.text
        assert str(error) not in caplog.text

    def test_is_not_lost_by_what_fails_in_sending_what_comes_of_it(
        self, customer: Customer, declare: Declare, tracked: Calls, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(name: str, args: object) -> None:
            told.append(name)
            raise RuntimeError("no such transport")

        def work(run: jobs.Run) -> None:
            monkeypatch.setattr(app, "send_task", refuse)
            with run.completing():
                jobs.enqueue("errand", customer)
                jobs.enqueue("errand", customer)

        told: list[str] = []
        declare(work)
        assert "completed" == attempted(customer)
        assert [("data_export", "mercy")] == named(tracked, "track_job_completed")
        assert ["upstream.errand"] * 2 == told, "the second is told of though the first could not be"

    def test_of_what_is_stored_comes_before_what_comes_of_it_is_sent(
        self, customer: Customer, declare: Declare, tracked: Calls, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def work(run: jobs.Run) -> None:
            monkeypatch.setattr(
                app, "send_task", lambda name, args: counted.append(len(named(tracked, "track_report_generated")))
            )
            with run.completing():
                jobs.enqueue("errand", customer)
            metrics.track_report_generated("denial_analysis", "mercy")

        counted: list[int] = []
        declare(work)
        assert "completed" == attempted(customer)
        assert [1] == counted
        assert Job.objects.get(status="queued").sent_at is not None

    def test_is_not_lost_by_a_time_limit_after_the_commit(
        self, customer: Customer, declare: Declare, tracked: Calls
    ) -> None:
        def work(run: jobs.Run) -> None:
            with run.completing():
                Payer.objects.create(code="left", name="Left")
            raise SoftTimeLimitExceeded

        declare(work)
        assert "completed" == attempted(customer)
        assert [("data_export", "mercy")] == named(tracked, "track_job_completed")
        assert [] == named(tracked, "track_job_failed")


LOCKED = """
import datetime, json, sqlite3, sys, threading, time, django
django.setup()
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone
from upstream import jobs
from upstream.celery import app
from upstream.models import Customer, Job

LOCKED = 2.5
app.send_task = lambda name, args: None
call_command("migrate", verbosity=0)
told = {}

class Lock:
    # Another process that writes: SQLite's one writer.
    def __init__(self):
        self.is_held, self.over = threading.Event(), threading.Event()
        threading.Thread(target=self.hold).start()
        self.is_held.wait()

    def hold(self):
        database = sqlite3.connect(settings.DATABASES["default"]["NAME"], isolation_level=None)
        database.execute("BEGIN IMMEDIATE")
        self.is_held.set()
        time.sleep(LOCKED)
        database.execute("COMMIT")
        database.close()
        self.over.set()

def stored(run):
    return Job.objects.values_list("lease_until", flat=True).get(pk=run.job.pk)

def work(run):
    told["taken"] = stored(run) > timezone.now()
    first = stored(run)
    lock = Lock()
    time.sleep(LOCKED - 0.3)
    # It finds the lease over, and must wait for the lock to end it.
    told["swept"] = jobs.sweep().lost
    lock.over.wait()
    while stored(run) == first:
        time.sleep(0.01)
    told["renewed"] = stored(run) > timezone.now()

jobs.kind("errand", Job.JobType.DATA_EXPORT)(work)
customer = Customer.objects.create(code="mercy", name="Mercy")
job = jobs.enqueue("errand", customer)
Lock()
jobs.attempt(job.pk)
job.refresh_from_db()
print(json.dumps({**told, "status": job.status, "attempts": job.attempts}))
"""


@pytest.mark.slow
class TestOneWriter:
    """SQLite is locked by another writer for longer than a lease lasts: nobody can renew one meanwhile."""

    def test_costs_no_living_attempt_its_lease(self, tmp_path: Path) -> None:
        environ = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "upstream.settings.dev",
            "DATABASE_URL": f"sqlite:///{tmp_path}/upstream.sqlite3",
            "UPSTREAM_VAR_DIR": str(tmp_path / "var"),
            "UPSTREAM_JOB_LEASE_SECONDS": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", LOCKED],
            cwd=CHECKOUT, env=environ, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert 0 == done.returncode, done.stderr[-4000:]
        wanted = {"taken": True, "swept": 0, "renewed": True, "status": "completed", "attempts": 1}
        assert wanted == json.loads(done.stdout)
