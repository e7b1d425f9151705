"""Upstream at work with one word planted in all of its data: run as a script, it prints what left the process.

Spans, log records (as JSON, everything from DEBUG on, Django's statements too) and the page of the metrics.
"""

from __future__ import annotations

import csv
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

    Claim, Customer, Payer = (apps.get_model("upstream", name) for name in ("Claim", "Customer", "Payer"))
    call_command("migrate", verbosity=0)
    exporter.clear()

    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(JsonFormatter(service="upstream"))
    for name in ("", "django", "django.db.backends", "upstream", "telemetry"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.handlers = [] if name else [handler]
    connection.force_debug_cursor = True

    Customer.objects.create(code="mercy", name=f"{WORD} Hospital", alert_email=EMAIL)
    Payer.objects.create(code="aetna", name=WORD)
    client = Client(raise_request_exception=False, headers={"user-agent": EMAIL, "cookie": f"sessionid={WORD}"})

    def upload(content: bytes, customer: str = "mercy", path: str = "/claims/upload/") -> int:
        file = SimpleUploadedFile(f"{WORD}.csv", content, content_type="text/csv")
        return client.post(path, {"customer": customer, "file": file}).status_code

    with mock.patch("upstream.views.ingest", side_effect=ValueError(f"{WORD} cannot be read")):
        crashed = upload(claims())
    statuses = [
        upload(claims()),
        crashed,
        upload(claims()[:-20]),
        upload(WORD.encode()),
        upload(claims(), customer=WORD),
        client.get(f"/claims/batches/?customer=mercy&token={WORD}&next={EMAIL}").status_code,
        client.get(f"/claims/batches/?customer={WORD}").status_code,
        client.get(f"/people/{EMAIL}/").status_code,
        client.post("/detection/run/", {"customer": "mercy", "end": WORD}).status_code,
        client.post("/detection/run/", {"customer": "mercy"}).status_code,
    ]
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
            "kept": kept,
            "spans": [json.loads(span.to_json()) for span in exporter.get_finished_spans()],
            "log": log.getvalue().splitlines(),
            "page": runtime.get().scrape().body.decode(),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
