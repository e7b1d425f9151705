"""Reports as jobs: each asked for once, written whole or not at all, and counted."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.utils import timezone

from upstream import jobs, reports
from upstream.ingestion import ingest_now
from upstream.models import Customer, Job, Payer, Report
from upstream.reports.measures import payments
from upstream.tests.conftest import Calls, line, named, stream, work

START, END = datetime.date(2025, 1, 1), datetime.date(2025, 1, 31)


@pytest.fixture
def claims(customer: Customer, payers: list[Payer], settings: Any) -> None:
    """A claim that was paid in the period."""
    # No work but the reports.
    settings.UPSTREAM_DETECT_AFTER_INGESTION = False
    ingest_now(customer, stream(line()), "claims.csv")


def breaking(statement: str) -> AbstractContextManager[None]:
    """A database that fails at the statements that begin so."""

    def fail(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith(statement):
            raise DatabaseError("gone, and with it a patient's name")
        return execute(sql, *rest)

    return connection.execute_wrapper(fail)


class TestRequest:
    def test_is_a_row_and_a_job(self, customer: Customer) -> None:
        report = reports.request(customer, "payment_analysis", START, END)
        job = Job.objects.get()
        assert ("pending", "payment_analysis", START, END) == (
            report.status,
            report.report_type,
            report.start,
            report.end,
        )
        assert ("report", "report_generation", {"report": report.pk}, customer) == (
            job.name,
            job.job_type,
            job.arguments,
            job.customer,
        )

    @pytest.mark.parametrize(
        ("report_type", "start", "end", "message"),
        [
            ("weather", START, END, "report type 'weather' is not known; known: drift_summary, payment_analysis, "),
            ("drift_summary", END, START, "days: 2025-01-31 is after 2025-01-01; valid is a start that is not after"),
            (
                "drift_summary",
                datetime.date(1999, 12, 31),
                END,
                "days: 1999-12-31 is before there are claims; valid is",
            ),
            ("drift_summary", datetime.date(2010, 1, 1), END, "days: 2010-01-01 to 2025-01-31 are 5,510; valid are up"),
        ],
    )
    def test_what_cannot_be_is_refused(
        self, customer: Customer, report_type: str, start: datetime.date, end: datetime.date, message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            reports.request(customer, report_type, start, end)
        assert (0, 0) == (Report.objects.count(), Job.objects.count())

    def test_the_last_day_is_today_at_most(self, customer: Customer) -> None:
        today = timezone.localdate()
        assert today == reports.request(customer, "drift_summary", today, today).end
        tomorrow = today + datetime.timedelta(days=1)
        with pytest.raises(ValueError, match=f"days: {tomorrow} is after today; valid is an end up to {today}"):
            reports.request(customer, "drift_summary", today, tomorrow)
        assert 1 == Report.objects.count()

    def test_neither_is_there_without_the_other(self, customer: Customer) -> None:
        with breaking('INSERT INTO "upstream_job"'), pytest.raises(DatabaseError):
            reports.request(customer, "payment_analysis", START, END)
        assert 0 == Report.objects.count()


class TestRequestAll:
    def test_each_type_once_for_the_same_days(self, customer: Customer) -> None:
        assert [4, 0, 0] == [reports.request_all(customer, START, END) for _ in range(3)]
        assert sorted(Report.ReportType.values) == sorted(Report.objects.values_list("report_type", flat=True))
        assert {*Report.objects.values_list("pk", flat=True)} == {job.arguments["report"] for job in Job.objects.all()}

    def test_other_days_and_other_customers_have_their_own(self, customer: Customer) -> None:
        reports.request_all(customer, START, END)
        reports.request_all(customer, START, END + datetime.timedelta(days=1))
        reports.request_all(Customer.objects.create(code="other", name="Other"), START, END)
        assert (12, 12) == (Report.objects.count(), Job.objects.count())


@pytest.mark.usefixtures("claims")
class TestGenerate:
    def test_a_worker_writes_it(self, customer: Customer, tracked: Calls) -> None:
        report = reports.request(customer, "payment_analysis", START, END)
        assert 1 == work()
        report.refresh_from_db()
        assert ("completed", "") == (report.status, report.error)
        assert report.finished_at is not None
        assert "Half of the payments came within 20 days" in report.html
        assert report.csv.startswith("table,payer_code,payer,answered,")
        assert {
            "report": report.pk,
            "headline": "Half of the payments came within 20 days, nine in ten within 20 days",
        } == (Job.objects.get(name="report").result)
        assert [("payment_analysis", "mercy")] == named(tracked, "track_report_generated")
        assert [] == named(tracked, "track_report_failed")
        ((report_type, seconds),) = named(tracked, "track_report_generation")
        assert "payment_analysis" == report_type
        assert seconds > 0

    @pytest.mark.parametrize("statement", ["SELECT", 'UPDATE "upstream_report"'])
    def test_an_attempt_that_fails_leaves_nothing_half_and_is_tried_again(
        self, customer: Customer, tracked: Calls, monkeypatch: pytest.MonkeyPatch, statement: str
    ) -> None:
        report = reports.request(customer, "payment_analysis", START, END)
        job = Job.objects.get(name="report")
        measured = payments.measure

        def measure(*what: Any) -> Any:
            broken.enter_context(breaking(statement))
            return measured(*what)

        with ExitStack() as broken, monkeypatch.context() as patch, pytest.raises(jobs.AttemptFailed):
            patch.setattr(payments, "measure", measure)
            # What records the failure must get through.
            patch.setattr("upstream.reports.service.metrics.track_report_generation", lambda *_: broken.close())
            jobs.attempt(job.pk)
        report.refresh_from_db()
        job.refresh_from_db()
        assert ("pending", "", "", "") == (report.status, report.html, report.csv, report.error)
        assert ("queued", "DatabaseError", {}) == (job.status, job.error_type, job.result)
        assert [] == named(tracked, "track_report_generated")

        Job.objects.filter(pk=job.pk).update(due_at=timezone.now())
        assert 1 == work()
        report.refresh_from_db()
        assert "completed" == report.status
        assert [("payment_analysis", "mercy")] == named(tracked, "track_report_generated")
        assert [] == named(tracked, "track_report_failed")

    def test_the_last_attempt_gives_it_up_and_keeps_our_insides_to_us(
        self, customer: Customer, tracked: Calls, django_capture_on_commit_callbacks: Any
    ) -> None:
        with (
            django_capture_on_commit_callbacks(execute=True),
            breaking('SELECT "upstream_payer"'),
            pytest.raises(DatabaseError),
        ):
            reports.write_now(customer, "denial_analysis", START, END)
        report = Report.objects.get()
        assert ("failed", "DatabaseError", "", "") == (report.status, report.error, report.html, report.csv)
        assert [("denial_analysis", "DatabaseError", "mercy")] == named(tracked, "track_report_failed")
        assert 1 == len(named(tracked, "track_report_generation"))
        assert [] == named(tracked, "track_report_generated")


class TestNoData:
    @pytest.mark.parametrize("report_type", Report.ReportType.values)
    def test_the_customer_reads_why(
        self, customer: Customer, tracked: Calls, report_type: str, django_capture_on_commit_callbacks: Any
    ) -> None:
        report = reports.request(customer, report_type, START, END)
        with django_capture_on_commit_callbacks(execute=True):
            assert 1 == work()
        report.refresh_from_db()
        assert "failed" == report.status
        assert "from 2025-01-01 to 2025-01-31" in report.error
        assert [(report_type, "NoData", "mercy")] == named(tracked, "track_report_failed")
        # Another attempt would not find more.
        assert ("failed", "NoData", 1) == Job.objects.values_list("status", "error_type", "attempts").get()

    def test_nothing_is_counted_that_was_rolled_back(self, customer: Customer, tracked: Calls) -> None:
        reports.request(customer, "payment_analysis", START, END)
        assert 1 == work()
        # The test's own transaction never commits.
        assert [] == named(tracked, "track_report_failed")


class TestWriteReport:
    def run(self, folder: Path, **changes: str) -> list[str]:
        options = {"customer": "mercy", "type": "payment_analysis", "start": str(START), "end": str(END), **changes}
        out = io.StringIO()
        call_command(
            "write_report", *(f"--{name}={value}" for name, value in options.items()), f"--out={folder}", stdout=out
        )
        return out.getvalue().splitlines()

    @pytest.mark.usefixtures("claims")
    def test_writes_both_files(self, tmp_path: Path) -> None:
        said = self.run(tmp_path / "new" / "folder")
        report = Report.objects.get()
        name = tmp_path / "new" / "folder" / "mercy-payment_analysis-2025-01-01-2025-01-31"
        assert [f"{name}.html", f"{name}.csv"] == said
        assert [report.html.encode(), report.csv.encode()] == [Path(path).read_bytes() for path in said]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"customer": "nobody"}, "customer 'nobody' is not known"),
            ({"start": "2025-02-01"}, "days: 2025-02-01 is after 2025-01-31"),
            ({"type": "quality_dashboard"}, "quality_dashboard: no file of claims was received from 2025-01-01"),
        ],
    )
    def test_says_what_is_wrong(
        self, customer: Customer, tmp_path: Path, changes: dict[str, str], message: str
    ) -> None:
        with pytest.raises(CommandError, match=message):
            self.run(tmp_path, **changes)
        assert [] == list(tmp_path.iterdir())
