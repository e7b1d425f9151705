"""Upstream's work on what was planted, in tasks as a worker runs them, and what an application may do besides."""

from __future__ import annotations

import datetime
import logging
import smtplib
from importlib import import_module
from typing import Any
from unittest import mock

import django
from django.db import connection, transaction
from opentelemetry import trace

from telemetry.tests.instrumentation.planted_data import EMAIL, WORD

_REFUSED = smtplib.SMTPRecipientsRefused({EMAIL: (550, f"{WORD} is not known here".encode())})


def jobs(models: Any) -> None:
    """Every job once, those too that come of others."""
    tasks = import_module("upstream.celery").app.tasks
    tried: set[int] = set()
    while job := models.Job.objects.exclude(pk__in=tried).order_by("pk").first():
        tried.add(job.pk)
        tasks[f"upstream.{job.name}"].apply((job.pk,))


def alert(models: Any, customer: Any) -> None:
    """An alert that goes out by every kind of channel, and a job that fails."""
    customer.channels.create(channel_type="webhook", target=f"http://127.0.0.1:1/{WORD}", secret=WORD)
    customer.channels.create(channel_type="slack", target=f"http://127.0.0.1:1/services/T0/{WORD}9f8E7d")
    day = datetime.date(2025, 2, 28)
    for subject, mail in ((WORD, None), (f"{WORD} too", _REFUSED)):
        event = models.DriftEvent.objects.create(
            job=models.Job.objects.filter(name="detect").first(), customer=customer,
            payer=models.Payer.objects.get(code="aetna"), subject=subject, product="DenialScope",
            drift_type="denial_rate", severity=0.9, baseline=0.1, current=0.3, baseline_size=900, current_size=300,
            effect=0.5, p_value=0.001, window_start=day, window_end=day,
        )  # fmt: skip
        import_module("upstream.alerts").raise_for(event)
        with mock.patch(
            "django.core.mail.backends.locmem.EmailBackend.send_messages", side_effect=mail, return_value=1
        ):
            jobs(models)
    with mock.patch("upstream.quality.Sum", side_effect=ValueError(f"{WORD}\ncannot be summed")):
        import_module("upstream.jobs").enqueue("quality", customer, day="2025-02-01")
        jobs(models)


def scheduled() -> list[str]:
    """How each scheduled task ends where the database says what was wrong, in many lines."""
    tasks = import_module("upstream.celery").app.tasks
    error = django.db.IntegrityError(f"duplicate key\nDETAIL:  Key (name)=({WORD}) already exists.")
    broken = {
        "sweep": "upstream.jobs.sweep",
        "remove_orphans": "upstream.ingestion.remove_orphans",
        "detect_all": "upstream.jobs.enqueue",
        "sync_quality": "upstream.jobs.enqueue",
        "write_reports": "upstream.reports.request_all",
    }
    states = []
    for name, place in broken.items():
        with mock.patch(place, side_effect=error):
            states.append(tasks[f"upstream.{name}"].apply().state)
    return states


def application(models: Any) -> None:
    """Spans and log records of somebody's own, with all that the layer should find in them."""
    log, tracer = logging.getLogger("upstream"), trace.get_tracer("app")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT '{WORD}' /* {WORD} */")
        cursor.execute(f"VALUES('{WORD}')")
        try:
            with transaction.atomic():
                cursor.execute(f"SELECT * FROM nowhere WHERE name = '{WORD}'")
        except django.db.Error as error:
            log.exception("a query of %s failed", EMAIL, extra={"patient": WORD, "why": error})
    known = models.Claim.objects.filter(claim_id__contains=WORD).first()
    try:
        with transaction.atomic(), tracer.start_as_current_span("to store"):
            known.pk = None
            known.save(force_insert=True)
    except django.db.Error as error:
        log.warning("not stored: %s", error)
        log.warning(f"not stored: {error}", extra={"detail": str(error)})
        log.warning(error)
    found = {
        "http.request.body": WORD, "user.email": EMAIL, "session.id": WORD, "authorization": WORD,
        "url.original": f"https://u:{WORD}@example.org/?q={WORD}", "db.system.name": "postgresql",
        "db.operation.name": f"VALUES('{WORD}')", "note": f"as https://example.org/?next={WORD} says",
    }  # fmt: skip
    try:
        with tracer.start_as_current_span(f"VALUES('{WORD}')", attributes=found):
            raise _REFUSED
    except smtplib.SMTPException as error:
        log.error("mail failed: %s, %r", error, [error], extra={"by": {EMAIL: 1}})
