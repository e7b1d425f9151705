"""Upstream at work with what is planted in all of its data: run as a script, it prints what left the process.

Spans as they are recorded and as they are exported, log records as production writes them (from DEBUG on, Django's
statements too) and the pages of the metrics.
"""

from __future__ import annotations

import io
import json
import logging
import logging.config
import os
import sys
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import django
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telemetry.tests.instrumentation.planted_data import API, EMAIL, WORD

_MODELS = ("ApiToken", "Claim", "Customer", "DriftEvent", "Job", "Payer", "Report")


class Recorded(SpanProcessor):
    """Keeps spans as they were made, which nothing has cleaned; not those of the application."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []

    def on_end(self, span: ReadableSpan) -> None:
        if span.instrumentation_scope is not None and span.instrumentation_scope.name != "app":
            self.spans.append(told(span))


def told(span: ReadableSpan) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(span.to_json())
    return found


def production_log() -> io.StringIO:
    """What production's handlers write."""
    os.environ |= {"UPSTREAM_SECRET_KEY": "k" * 50, "UPSTREAM_ALLOWED_HOSTS": "localhost"}
    logging.config.dictConfig(import_module("upstream.settings.production").LOGGING)
    log = io.StringIO()
    root = logging.getLogger()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(log)
    root.setLevel(logging.DEBUG)
    for name in ("celery", "django", "django.db.backends", "django.server", "upstream", "telemetry"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.handlers, logger.propagate = [], True
    return log


def main() -> None:
    recorded, exported = Recorded(), InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exported))
    provider.add_span_processor(recorded)
    trace.set_tracer_provider(provider)
    django.setup()

    from django.apps import apps
    from django.core.management import call_command
    from django.db import connection, reset_queries

    from telemetry import runtime
    from telemetry.tests.instrumentation import planted_requests as requests
    from telemetry.tests.instrumentation import planted_work as work

    models = SimpleNamespace(**{name: apps.get_model("upstream", name) for name in _MODELS})
    call_command("migrate", verbosity=0)
    recorded.spans.clear()
    exported.clear()
    log = production_log()
    connection.force_debug_cursor = True

    customer = models.Customer.objects.create(code="mercy", name=f"{WORD} Hospital", alert_email=EMAIL)
    customer.tokens.create(name=WORD, digest=models.ApiToken.digest_of(f"{WORD}-token"))
    for code in ("aetna", "humana"):
        models.Payer.objects.create(code=code, name=f"{WORD} {code}")
    program = requests.client()
    statuses = {"api": requests.to_the_api(program)}
    work.jobs(models)
    work.alert(models, customer)
    jobs = sorted({(job.name, job.status, job.error_type) for job in models.Job.objects.all()})
    report = models.Report.objects.get()
    statuses["reports"] = [program.get(f"{API}reports/{report.pk}/{form}/").status_code for form in ("html", "csv")]
    statuses["filtered"] = sorted(requests.to_the_api_with_names_that_are_not_private(program))
    statuses["admin"] = requests.to_the_admin(models.Claim.objects.filter(claim_id__contains=WORD).first())
    statuses["hostile"] = requests.hostile(program)
    scheduled = work.scheduled()
    work.application(models)
    reset_queries()
    pages = [runtime.get().scrape(accept).body.decode() for accept in (None, "application/openmetrics-text")]
    json.dump(
        {
            "statuses": statuses,
            "jobs": jobs,
            "scheduled": scheduled,
            "kept": models.Claim.objects.filter(claim_id__contains=WORD).count(),
            "recorded": recorded.spans,
            "exported": [told(span) for span in exported.get_finished_spans()],
            "log": log.getvalue().splitlines(),
            "pages": pages,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
