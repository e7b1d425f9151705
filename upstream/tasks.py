"""Every kind of background work as a Celery task, and what is done by the clock."""

from __future__ import annotations

import datetime
from typing import Any

from celery import Task
from django.utils import timezone

from upstream import alerts, detection, ingestion, jobs, quality, reports
from upstream.celery import app
from upstream.models import Customer, Job

_GRACE = 30
"""Seconds that an interrupted attempt has to end by itself before its process is killed."""

jobs.kind(ingestion.KIND, Job.JobType.DATA_SYNC, limit=1800, given_up=ingestion.give_up)(ingestion.ingest)
jobs.kind(detection.KIND, Job.JobType.DRIFT_DETECTION, limit=900)(detection.detect)
jobs.kind(alerts.KIND, Job.JobType.ALERT_PROCESSING, attempts=6, limit=60, given_up=alerts.give_up)(alerts.deliver)
jobs.kind(reports.KIND, Job.JobType.REPORT_GENERATION, limit=600, given_up=reports.give_up)(reports.generate)
jobs.kind(quality.KIND, Job.JobType.DATA_SYNC, limit=300)(quality.sync)


def _task(kind: jobs.Kind) -> None:
    # Of any type, because the stubs know no fractions of a second.
    limits: dict[str, Any] = {"soft_time_limit": kind.limit, "time_limit": kind.limit + _GRACE}

    @app.task(name=kind.task_name, bind=True, max_retries=None, **limits)
    def run(self: Task[Any, Any], job_id: int) -> None:
        try:
            jobs.attempt(job_id)
        except jobs.AttemptFailed as failed:
            # Celery logs the chain of causes with their messages, and those may quote a file of claims.
            if failed.again_in is None:
                raise failed from None
            raise self.retry(exc=failed, countdown=failed.again_in) from None


for _kind in jobs.kinds().values():
    _task(_kind)


@app.task(name="upstream.sweep")
def sweep() -> None:
    """Have done what a broker lost or a killed process left."""
    jobs.sweep()


@app.task(name="upstream.remove_orphans")
def remove_orphans() -> None:
    """Remove the uploads that killed processes left."""
    ingestion.remove_orphans()


@app.task(name="upstream.detect_all")
def detect_all() -> None:
    """A detection pass for every customer, once a day however often this is called."""
    for customer in Customer.objects.all():
        jobs.enqueue(detection.KIND, customer, key=f"{detection.KIND}:{customer.pk}:{timezone.localdate()}", end=None)


@app.task(name="upstream.sync_quality")
def sync_quality() -> None:
    """The quality of every customer's data, once a day however often this is called."""
    day = timezone.localdate().isoformat()
    for customer in Customer.objects.all():
        jobs.enqueue(quality.KIND, customer, key=f"{quality.KIND}:{customer.pk}:{day}", day=day)


@app.task(name="upstream.write_reports")
def write_reports() -> None:
    """Every report for every customer over the week up to yesterday, once however often this is called."""
    end = timezone.localdate() - datetime.timedelta(days=1)
    start = end - datetime.timedelta(days=6)
    for customer in Customer.objects.all():
        reports.request_all(customer, start, end)
