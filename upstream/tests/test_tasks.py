"""What Celery is told of the jobs: a task for each kind, its limits, and what is done by the clock."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import Retry
from celery.schedules import crontab
from django.conf import settings
from django.utils import timezone

from upstream import jobs, tasks
from upstream.celery import app
from upstream.ingestion import receive
from upstream.models import Customer, Job, Report
from upstream.tests.conftest import Calls, line, named, stream, work


class TestTasks:
    @pytest.mark.parametrize("kind", jobs.kinds().values(), ids=lambda kind: kind.name)
    def test_each_kind_is_one_with_its_limits(self, kind: jobs.Kind) -> None:
        task = app.tasks[kind.task_name]
        assert (kind.limit, kind.limit + 30) == (task.soft_time_limit, task.time_limit)

    def test_does_the_job(self, customer: Customer, payers: Any) -> None:
        batch = receive(customer, stream(line()), "claims.csv")
        app.tasks["upstream.ingest"].apply((Job.objects.get().pk,), throw=True)
        batch.refresh_from_db()
        assert "success" == batch.status

    def test_a_failure_asks_celery_for_another_run(self, customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
        receive(customer, stream(line()), "claims.csv")
        asked: list[dict[str, Any]] = []

        def retry(**options: Any) -> Retry:
            asked.append(options)
            return Retry()

        def fail(*args: object) -> None:
            raise jobs.AttemptFailed("ingest 1 (queued): OSError", 7.5)

        task = app.tasks["upstream.ingest"]
        monkeypatch.setattr(task, "retry", retry)
        monkeypatch.setattr(jobs, "attempt", fail)
        with pytest.raises(Retry):
            task(Job.objects.get().pk)
        assert [7.5] == [options["countdown"] for options in asked]

    def test_the_last_failure_is_the_tasks(self, customer: Customer) -> None:
        receive(customer, stream(line(), "x"), "claims.csv")
        Job.objects.update(max_attempts=1, arguments={"batch": 4711})
        with pytest.raises(jobs.AttemptFailed, match=r"ingest \d+ \(failed\): DoesNotExist"):
            app.tasks["upstream.ingest"](Job.objects.get().pk)


class TestSchedule:
    def test_names_tasks_that_there_are(self) -> None:
        named_tasks = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
        assert {
            "upstream.sweep",
            "upstream.remove_orphans",
            "upstream.detect_all",
            "upstream.sync_quality",
            "upstream.write_reports",
        } == named_tasks
        assert named_tasks <= set(app.tasks)

    def test_a_sweep_that_is_late_is_not_made_up_for(self) -> None:
        sweep: Any = settings.CELERY_BEAT_SCHEDULE["sweep"]
        assert sweep["schedule"] == sweep["options"]["expires"] > 0

    def test_the_rest_is_daily_and_weekly(self) -> None:
        schedule = settings.CELERY_BEAT_SCHEDULE
        times = {name: schedule[name]["schedule"] for name in ("orphans", "detect", "quality", "reports")}
        assert times == {
            "orphans": crontab(hour="2", minute="0"),
            "detect": crontab(hour="4", minute="0"),
            "quality": crontab(hour="3", minute="0"),
            "reports": crontab(hour="5", minute="0", day_of_week="1"),
        }

    @pytest.mark.parametrize(("task", "expected"), [(tasks.detect_all, ["detect"]), (tasks.sync_quality, ["quality"])])
    def test_asks_for_one_job_a_customer_and_day(self, customer: Customer, task: Any, expected: list[str]) -> None:
        Customer.objects.create(code="other", name="Other")
        for _ in range(2):
            task()
        assert [(name, code) for code in ("mercy", "other") for name in expected] == list(
            Job.objects.order_by("customer__code").values_list("name", "customer__code")
        )
        work()
        assert {"completed"} == set(Job.objects.values_list("status", flat=True))

    def test_asks_for_every_report_over_the_week_before(self, customer: Customer) -> None:
        for _ in range(2):
            tasks.write_reports()
        yesterday = timezone.localdate() - datetime.timedelta(days=1)
        week = (yesterday - datetime.timedelta(days=6), yesterday)
        assert [(kind, *week) for kind in sorted(Report.ReportType.values)] == list(
            Report.objects.order_by("report_type").values_list("report_type", "start", "end")
        )

    def test_removes_old_uploads_that_no_batch_has(self, customer: Customer, uploads: Path) -> None:
        tasks.remove_orphans()
        receive(customer, stream(line()), "claims.csv")
        (waiting,) = (uploads / "claims").iterdir()
        for name in ("old.csv", "young.csv"):
            (uploads / "claims" / name).write_text("private")
        for path in (waiting, uploads / "claims" / "old.csv"):
            os.utime(path, (0, 0))
        tasks.remove_orphans()
        assert {waiting.name, "young.csv"} == {path.name for path in (uploads / "claims").iterdir()}

    def test_sweeps(self, customer: Customer, tracked: Calls) -> None:
        job = jobs.enqueue("quality", customer, day="2025-06-30")
        Job.objects.update(status="running", attempts=1, lease="0" * 32, lease_until=timezone.now())
        tasks.sweep()
        job.refresh_from_db()
        assert ("queued", "WorkerLost") == (job.status, job.error_type)
        assert 1 == len(named(tracked, "track_job_failed"))
