"""Reports as jobs: asked for, written in one transaction, or given up with the reason."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable

from django.db import transaction
from django.utils import timezone

from upstream import jobs, metrics
from upstream.models import Customer, Job, Report
from upstream.models.claims import EARLIEST
from upstream.reports.content import Content, NoData
from upstream.reports.measures import denials as denials_of
from upstream.reports.measures import drift as drift_of
from upstream.reports.measures import payments as payments_of
from upstream.reports.measures import quality as quality_of
from upstream.reports.measures.steps import MAX_DAYS
from upstream.reports.page import page
from upstream.reports.pages import denials, drift, payments, quality
from upstream.reports.sheet import sheet

KIND = "report"
"""The kind of job that writes a report."""

_Tell = Callable[[Customer, datetime.date, datetime.date], Content]
_TYPES: dict[str, _Tell] = {
    Report.ReportType.DRIFT_SUMMARY: lambda *what: drift.content(drift_of.measure(*what)),
    Report.ReportType.PAYMENT_ANALYSIS: lambda *what: payments.content(payments_of.measure(*what)),
    Report.ReportType.DENIAL_ANALYSIS: lambda *what: denials.content(denials_of.measure(*what)),
    Report.ReportType.QUALITY_DASHBOARD: lambda *what: quality.content(quality_of.measure(*what)),
}


def request(customer: Customer, report_type: str, start: datetime.date, end: datetime.date) -> Report:
    """Have a job write a report over the days from `start` to `end`, both included.

    Raises:
        ValueError: as for `check`.
    """
    return _request(customer, report_type, start, end)[0]


def request_all(customer: Customer, start: datetime.date, end: datetime.date) -> int:
    """Have every type of report written over these days, each once however often this is called; how many are new.

    Raises:
        ValueError: as for `check`.
    """
    new = 0
    for report_type in _TYPES:
        key = f"{KIND}:{customer.pk}:{report_type}:{start}:{end}"
        with transaction.atomic():
            report, job = _request(customer, report_type, start, end, key=key)
            # The job's key decides, also between two that ask at once: what it already has is another report.
            if job.arguments["report"] == report.pk:
                new += 1
            else:
                report.delete()
    return new


def check(report_type: str, start: datetime.date, end: datetime.date) -> None:
    """Whether there can be such a report.

    Raises:
        ValueError: the type is not one of `Report.ReportType`, or the days are out of order, too early, not over
            yet or too many.
    """
    if report_type not in _TYPES:
        raise ValueError(f"report type {report_type!r} is not known; known: {', '.join(map(str, _TYPES))}")
    if start < EARLIEST:
        raise ValueError(f"days: {start} is before there are claims; valid is a start from {EARLIEST} on")
    if start > end:
        raise ValueError(f"days: {start} is after {end}; valid is a start that is not after the end")
    if end > timezone.localdate():
        raise ValueError(f"days: {end} is after today; valid is an end up to {timezone.localdate()}")
    length = (end - start).days + 1
    if length > MAX_DAYS:
        raise ValueError(f"days: {start} to {end} are {length:,}; valid are up to {MAX_DAYS:,}")


def write_now(customer: Customer, report_type: str, start: datetime.date, end: datetime.date) -> Report:
    """The same as `request` in this process, without a worker; the finished report.

    Raises:
        ValueError: as for `check`.
        NoData: there is nothing that the report could tell; it is stored as failed.
        django.db.DatabaseError: likewise, when the database fails.
    """
    report, job = _request(customer, report_type, start, end, hold=True)
    jobs.run_now(job)
    report.refresh_from_db()
    return report


def generate(run: jobs.Run) -> None:
    """Write the report of a job, as a page and as a sheet.

    Raises:
        NoData: there is nothing that the report could tell.
    """
    report = Report.objects.select_related("customer").get(pk=run.job.arguments["report"])
    began = time.perf_counter()
    try:
        content = _TYPES[report.report_type](report.customer, report.start, report.end)
        report.html, report.csv = page(content, report.customer.name), sheet(content)
        with run.completing():
            report.status, report.error, report.finished_at = Report.Status.COMPLETED, "", timezone.now()
            report.save(update_fields=["html", "csv", "status", "error", "finished_at"])
            run.result = {"report": report.pk, "headline": content.headline}
    finally:
        metrics.track_report_generation(report.report_type, time.perf_counter() - began)
    metrics.track_report_generated(report.report_type, report.customer.code)


def give_up(job: Job) -> None:
    """Fail the report of a job that is not tried again; the customer reads why, but nothing of our insides."""
    report = Report.objects.select_related("customer").get(pk=job.arguments["report"])
    report.status, report.finished_at = Report.Status.FAILED, timezone.now()
    report.error = job.error if job.error_type == NoData.__name__ else job.error_type
    report.save(update_fields=["status", "finished_at", "error"])
    report_type, error_type, code = report.report_type, job.error_type, report.customer.code
    transaction.on_commit(lambda: metrics.track_report_failed(report_type, error_type, code))


def _request(
    customer: Customer,
    report_type: str,
    start: datetime.date,
    end: datetime.date,
    *,
    key: str | None = None,
    hold: bool = False,
) -> tuple[Report, Job]:
    check(report_type, start, end)
    with transaction.atomic():
        report = Report.objects.create(customer=customer, report_type=report_type, start=start, end=end)
        job = jobs.enqueue(KIND, customer, key=key, hold=hold, report=report.pk)
    return report, job
