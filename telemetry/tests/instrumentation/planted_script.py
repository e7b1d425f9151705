"""Upstream at work with one word planted in all of its data: run as a script, it prints what left the process.

Spans, log records (as JSON, everything from DEBUG on, Django's statements too) and the page of the metrics.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
import logging
import sys
from importlib import import_module
from unittest import mock

import django
from django.core.files.uploadedfile import SimpleUploadedFile
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telemetry.logging import JsonFormatter

WORD = "zebra"
EMAIL = f"{WORD}@example.org"
API = "/api/v1/"


def claims() -> bytes:
    columns = import_module("upstream.ingestion.reader").COLUMNS
    good = {
        "customer": "mercy", "payer": "aetna", "claim_id": f"{WORD}-1", "procedure_code": "99213",
        "billed_amount": "125.50", "paid_amount": "", "service_date": "2025-01-31", "submitted_date": "2025-02-01",
        "paid_date": "", "denied": "true", "denial_reason": f"{WORD} Roe, SSN 123-45-6789",
    }  # fmt: skip
    rows = [good, good, *(good | {"claim_id": f"{WORD}-{column}", column: WORD} for column in columns)]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def main() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    django.setup()

    from django.apps import apps
    from django.core.management import call_command
    from django.db import connection, reset_queries
    from django.test import Client

    from telemetry import runtime

    ApiToken, Claim, Customer, DriftEvent, Job, Payer, Report = (
        apps.get_model("upstream", name)
        for name in ("ApiToken", "Claim", "Customer", "DriftEvent", "Job", "Payer", "Report")
    )
    call_command("migrate", verbosity=0)
    exporter.clear()

    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(JsonFormatter(service="upstream"))
    for name in ("", "celery", "django", "django.db.backends", "upstream", "telemetry"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.handlers = [] if name else [handler]
    connection.force_debug_cursor = True

    customer = Customer.objects.create(code="mercy", name=f"{WORD} Hospital", alert_email=EMAIL)
    customer.channels.create(channel_type="webhook", target=f"http://127.0.0.1:1/{WORD}", secret=WORD)
    customer.tokens.create(name=WORD, digest=ApiToken.digest_of(f"{WORD}-token"))
    for code in ("aetna", "humana"):
        Payer.objects.create(code=code, name=f"{WORD} {code}")
    client = Client(
        raise_request_exception=False,
        headers={"user-agent": EMAIL, "cookie": f"sessionid={WORD}", "authorization": f"Token {WORD}-token"},
    )

    def upload(content: bytes) -> int:
        file = SimpleUploadedFile(f"{WORD}.csv", content, content_type="text/csv")
        return client.post(f"{API}batches/", {"file": file}).status_code

    def post(path: str, **body: str) -> int:
        return client.post(f"{API}{path}", body, content_type="application/json").status_code

    def work() -> None:
        """Every job once, those too that come of others: as tasks, the way a worker has them."""
        tasks = import_module("upstream.celery").app.tasks
        tried: set[int] = set()
        while job := Job.objects.exclude(pk__in=tried).order_by("pk").first():
            tried.add(job.pk)
            tasks[f"upstream.{job.name}"].apply((job.pk,))

    with mock.patch("upstream.ingestion.receive", side_effect=ValueError(f"{WORD} cannot be read")):
        crashed = upload(claims())
    statuses = [
        upload(claims()),
        crashed,
        upload(claims()[:-20]),
        upload(WORD.encode()),
        post("reports/", report_type="denial_analysis", start="2025-01-01", end="2025-02-28"),
        post("reports/", report_type=WORD, start=WORD, end=WORD),
        post("detections/", end=WORD),
        post("detections/"),
        client.get(f"{API}batches/?token={WORD}&next={EMAIL}").status_code,
        client.get(f"{API}events/?payer=aetna").status_code,
        client.get(f"{API}jobs/", headers={"authorization": f"Token {WORD}"}).status_code,
        client.get(f"/people/{EMAIL}/").status_code,
    ]
    day = datetime.date(2025, 2, 28)
    event = DriftEvent.objects.create(
        job=Job.objects.get(name="detect"), customer=customer, payer=Payer.objects.get(code="aetna"), subject=WORD,
        product="DenialScope", drift_type="denial_rate", severity=0.9, baseline=0.1, current=0.3, baseline_size=900,
        current_size=300, effect=0.5, p_value=0.001, window_start=day, window_end=day,
    )  # fmt: skip
    import_module("upstream.alerts").raise_for(event)
    with mock.patch("upstream.quality.Sum", side_effect=ValueError(f"{WORD} cannot be summed")):
        import_module("upstream.jobs").enqueue("quality", customer, day="2025-02-01")
        work()
    jobs = sorted({(job.name, job.status, job.error_type) for job in Job.objects.all()})
    report = Report.objects.get()
    statuses += [client.get(f"{API}reports/{report.pk}/{form}/").status_code for form in ("html", "csv")]
    kept = Claim.objects.filter(claim_id__contains=WORD).count()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT '{WORD}' /* {WORD} */")
        try:
            cursor.execute(f"SELECT * FROM nowhere WHERE name = '{WORD}'")
        except django.db.Error as error:
            logging.getLogger("upstream").exception(
                "a query of %s failed", EMAIL, extra={"patient": WORD, "why": error}
            )
    reset_queries()
    json.dump(
        {
            "statuses": statuses,
            "jobs": jobs,
            "kept": kept,
            "spans": [json.loads(span.to_json()) for span in exporter.get_finished_spans()],
            "log": log.getvalue().splitlines(),
            "page": runtime.get().scrape().body.decode(),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
