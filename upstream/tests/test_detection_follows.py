"""A file that was stored has drift looked for; one pass that has yet to begin is enough for all files of a customer."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import uuid
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from telemetry.tests.servers.harness import CHECKOUT
from upstream import detection, metrics
from upstream.celery import app
from upstream.ingestion import FileRejected, ingest_now, receive
from upstream.models import Claim, Customer, Job
from upstream.tests.conftest import line, stream, work
from upstream.tests.databases import empty_database

pytestmark = pytest.mark.usefixtures("payers")


def ingest(customer: Customer, *numbers: int) -> str:
    """The status of a batch with these claims."""
    rows = (line(customer=customer.code, claim_id=f"C-{number}") for number in numbers)
    return ingest_now(customer, stream(*rows), "claims.csv").status


def passes(customer: Customer) -> list[tuple[str, Any]]:
    """The status and the last day of every pass."""
    asked = Job.objects.filter(customer=customer, name=detection.KIND).order_by("pk")
    return [(job.status, job.arguments["end"]) for job in asked]


class TestFollow:
    def test_a_stored_file(self, customer: Customer) -> None:
        receive(customer, stream(line()), "claims.csv")
        assert [] == passes(customer)
        assert 2 == work()
        assert [("completed", None)] == passes(customer)
        assert "2025-01-25" == Job.objects.get(name=detection.KIND).result["window_end"]

    def test_one_of_which_some_rows_were(self, customer: Customer) -> None:
        batch = ingest_now(customer, stream(line(), line(claim_id="C-2", payer="nobody")), "claims.csv")
        assert ("partial", [("queued", None)]) == (batch.status, passes(customer))

    def test_not_one_of_which_nothing_was(self, customer: Customer) -> None:
        batch = ingest_now(customer, stream(line(payer="nobody")), "claims.csv")
        with pytest.raises(FileRejected):
            ingest_now(customer, stream(line(), "x" * 70_000), "claims.csv")
        assert ("failed", []) == (batch.status, passes(customer))

    def test_it_is_asked_for_with_the_claims_or_not_at_all(self, customer: Customer) -> None:
        def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if sql.startswith('UPDATE "upstream_job"') and "completed" in params:
                raise DatabaseError("full")
            return execute(sql, params, many, context)

        with connection.execute_wrapper(fail), pytest.raises(DatabaseError):
            ingest(customer, 1)
        assert (0, []) == (Claim.objects.count(), passes(customer))

    def test_not_where_it_is_switched_off(self, customer: Customer, settings: Any) -> None:
        settings.UPSTREAM_DETECT_AFTER_INGESTION = False
        assert ("success", []) == (ingest(customer, 1), passes(customer))


class TestOneWaits:
    def test_for_all_files(self, customer: Customer) -> None:
        for number in range(3):
            ingest(customer, number)
        assert [("queued", None)] == passes(customer)

    @pytest.mark.parametrize("status", ["running", "completed"])
    def test_one_that_has_begun_will_not_do(self, customer: Customer, status: str) -> None:
        ingest(customer, 1)
        now = timezone.now()
        changes: dict[str, Any] = {"lease": uuid.uuid4(), "lease_until": now} if status == "running" else {}
        changes["finished_at"] = now if status == "completed" else None
        Job.objects.filter(name=detection.KIND).update(status=status, **changes)
        ingest(customer, 2)
        assert [(status, None), ("queued", None)] == passes(customer)

    def test_one_up_to_another_day_will_not_do(self, customer: Customer) -> None:
        detection.request(customer, datetime.date(2025, 1, 2))
        ingest(customer, 1)
        assert [("queued", "2025-01-02"), ("queued", None)] == passes(customer)

    def test_one_on_hold_will_not_do(self, customer: Customer) -> None:
        detection.request(customer, hold=True)
        ingest(customer, 1)
        assert [("queued", None)] * 2 == passes(customer)

    def test_one_that_waits_for_another_attempt_will(self, customer: Customer) -> None:
        ingest(customer, 1)
        soon = timezone.now() + datetime.timedelta(seconds=40)
        Job.objects.filter(name=detection.KIND).update(attempts=1, due_at=soon, sent_at=soon)
        ingest(customer, 2)
        assert [("queued", None)] == passes(customer)

    def test_another_customers_will_not_do(self, customer: Customer) -> None:
        other = Customer.objects.create(code="other", name="Other")
        ingest(other, 1)
        ingest(customer, 1)
        assert [("queued", None)] == passes(customer) == passes(other)


@pytest.mark.django_db(transaction=True)
class TestSending:
    def test_comes_after_all_that_is_measured(self, customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
        done: list[str] = []
        monkeypatch.setattr(metrics, "track_data_quality_score", lambda *labels: done.append("score"))
        monkeypatch.setattr(app, "send_task", lambda name, args: done.append(name))
        ingest(customer, 1)
        assert ["score"] * 4 + ["upstream.detect"] == done


BEGINS = """
import json, threading, time, django
django.setup()
from django.core.management import call_command
from django.db import connection, transaction
from upstream import detection, jobs
from upstream.celery import app
from upstream.jobs import registry
from upstream.models import Customer, Job, Payer

app.send_task = lambda name, args: None
call_command("migrate", verbosity=0)
seen = []

def look(run):
    seen.append(Payer.objects.count())

registry._kinds.pop(detection.KIND)
jobs.kind(detection.KIND, Job.JobType.DRIFT_DETECTION)(look)
customer = Customer.objects.create(code="mercy", name="Mercy")
waiting = detection.request(customer)
beginning = threading.Thread(target=jobs.attempt, args=(waiting.pk,))

def is_blocked():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]

with transaction.atomic():
    Payer.objects.create(code="stored", name="By what is not committed yet")
    detection.follow(customer)
    beginning.start()
    while beginning.is_alive() and not is_blocked():
        time.sleep(0.01)
beginning.join()
print(json.dumps([seen, Job.objects.count()]))
"""


class TestBeginning:
    """A pass that waits, and would do, begins between the look at it and the commit of a file."""

    def test_waits_for_the_commit(self) -> None:
        with empty_database("postgresql") as url:
            done = subprocess.run(
                [sys.executable, "-c", BEGINS],
                cwd=CHECKOUT, env={**os.environ, "DATABASE_URL": str(url)}, capture_output=True, text=True,
                timeout=120, check=False,
            )  # fmt: skip
        assert 0 == done.returncode, done.stderr[-4000:]
        assert [[1], 1] == json.loads(done.stdout)
