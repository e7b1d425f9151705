"""What an installation has stored before jobs were a table is carried over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from upstream.models import AlertDelivery, ClaimBatch, Job

BEFORE = [("upstream", "0001_initial")]


@pytest.fixture
def old(transactional_db: None) -> Iterator[Any]:
    """The models as they were; afterwards the database is as it should be."""
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    yield executor.loader.project_state(BEFORE).apps
    call_command("migrate", verbosity=0)


def test_rows_of_before_are_carried_over(old: Any) -> None:
    customer = old.get_model("upstream", "Customer").objects.create(code="mercy", name="Mercy")
    payer = old.get_model("upstream", "Payer").objects.create(code="aetna", name="Aetna")
    old_job = old.get_model("upstream", "JobRun")
    now = timezone.now()
    done = old_job.objects.create(customer=customer, job_type="drift_detection", status="completed", finished_at=now)
    old_job.objects.create(customer=customer, job_type="data_sync", status="running")
    old.get_model("upstream", "ClaimBatch").objects.create(customer=customer, filename="half.csv")
    for number, (delivered, error) in enumerate([(True, ""), (False, "SMTPException")]):
        event = old.get_model("upstream", "DriftEvent").objects.create(
            job=done, customer=customer, payer=payer, product="DelayGuard", severity=0.5, baseline=1, current=2,
            drift_type=("payment_delay", "denial_rate")[number], baseline_size=9, current_size=9, effect=0.3,
            p_value=0.001, window_start=now.date(), window_end=now.date(),
        )  # fmt: skip
        alert = old.get_model("upstream", "Alert").objects.create(
            event=event, customer=customer, severity="medium", title="Later", body="Much later"
        )
        old.get_model("upstream", "AlertDelivery").objects.create(
            alert=alert, channel_type="email", delivered=delivered, error_type=error
        )
    call_command("migrate", verbosity=0)
    assert [
        ("detect", "completed", 1, ""),
        ("ingest", "failed", 1, "WorkerLost"),
    ] == list(Job.objects.order_by("pk").values_list("name", "status", "attempts", "error_type"))
    assert [("failed", "WorkerLost")] == list(ClaimBatch.objects.values_list("status", "error"))
    sent, failed = AlertDelivery.objects.order_by("pk")
    assert ("delivered", "", 1, sent.last_tried_at) == (sent.status, sent.error_type, sent.attempts, sent.delivered_at)
    assert ("failed", "SMTPException", 1, None) == (
        failed.status,
        failed.error_type,
        failed.attempts,
        failed.delivered_at,
    )
    assert sent.message_id != failed.message_id
    assert sent.last_tried_at is not None
