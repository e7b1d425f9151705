"""One detection pass over a customer, a job: compare, store the drift events, raise alerts."""

from __future__ import annotations

import datetime

from django.utils import timezone

from telemetry.business.drift import SeverityLevel
from upstream import alerts, jobs, metrics
from upstream.detection.comparison import PRODUCTS, compare
from upstream.detection.finding import Finding
from upstream.detection.stored import StoredCounts, last_answer
from upstream.detection.windows import Windows
from upstream.models import Customer, DriftEvent, Job
from upstream.models.claims import EARLIEST
from upstream.text import shorten

KIND = "detect"
"""The kind of job that makes a pass."""


def request(customer: Customer, end: datetime.date | None = None, *, hold: bool = False) -> Job:
    """Have a job look for drift in the 30 days up to `end`; by default up to the last answer of a payer on file."""
    return jobs.enqueue(KIND, customer, hold=hold, end=end.isoformat() if end else None)


def follow(customer: Customer) -> None:
    """Have a job look for drift once what the caller's transaction stores is there; one that has yet to begin will do.

    The caller must hold the customer's lock: two at once would each find that none waits.
    """
    # Locked, so that it cannot begin now and miss what is not committed yet.
    waiting = Job.objects.select_for_update().filter(
        customer=customer, name=KIND, status=Job.Status.QUEUED, arguments__end=None
    )
    # One on hold may be that of a process that is gone, and an hour away.
    if not waiting.exclude(sent_at=None, due_at__gt=timezone.now()):
        request(customer)


def detect_now(customer: Customer, end: datetime.date | None = None) -> Job:
    """The same in this process, without a worker; the finished job. The alerts that it raises are the worker's."""
    job = request(customer, end, hold=True)
    jobs.run_now(job)
    return job


def detect(run: jobs.Run) -> None:
    """Compare, store the drift events, and raise the alerts that they deserve.

    The job's result has the days compared (none without answered claims) and how many events and alerts there are.
    """
    customer, given = run.customer, run.job.arguments["end"]
    end = datetime.date.fromisoformat(given) if given else last_answer(customer)
    if end is None:
        run.result = {"window_start": None, "window_end": None, "events": 0, "alerts": 0}
        return
    windows = Windows.ending(end)
    compared = compare(StoredCounts(customer, windows))
    with run.completing():
        # Two passes at once would otherwise each raise the same alert.
        Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
        events = [_store(run.job, customer, finding, windows) for finding in compared.findings]
        raised = [alerts.raise_for(event) for event in events]
        run.result = {
            "window_start": windows.recent_start.isoformat(),
            "window_end": windows.end.isoformat(),
            "events": len(events),
            "alerts": sum(alert is not None for alert in raised),
        }
    for product, seconds in compared.seconds.items():
        metrics.track_drift_computation(product, seconds)
    for event, alert in zip(events, raised, strict=True):
        _measure(event, customer)
        alerts.measure(event, alert)


def last_day(text: str) -> datetime.date:
    """The day that `text` gives for the end of a pass.

    Raises:
        ValueError: it is not a date, or one before there are claims.
    """
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        day = datetime.date.min
    if day < EARLIEST:
        raise ValueError(f"{shorten(text)!r} is not a date from {EARLIEST} on; valid is one such as 2025-01-31")
    return day


def _store(job: Job, customer: Customer, finding: Finding, windows: Windows) -> DriftEvent:
    return DriftEvent.objects.create(
        job=job,
        customer=customer,
        payer_id=finding.payer_id,
        product=PRODUCTS[finding.drift_type],
        drift_type=finding.drift_type,
        subject=finding.subject,
        severity=finding.severity,
        baseline=finding.baseline,
        current=finding.current,
        baseline_size=finding.baseline_size,
        current_size=finding.current_size,
        effect=finding.effect,
        p_value=finding.p_value,
        window_start=windows.recent_start,
        window_end=windows.end,
    )


def _measure(event: DriftEvent, customer: Customer) -> None:
    metrics.track_drift_event(event.product, event.drift_type, event.severity, customer.code)
    if event.drift_type == DriftEvent.DriftType.PAYMENT_DELAY:
        metrics.track_payment_delay_signal(SeverityLevel.of(event.severity), customer.code)
    elif event.drift_type == DriftEvent.DriftType.DENIAL_RATE:
        metrics.track_denial_signal("pattern_shift" if event.subject else "rate_change", customer.code)
