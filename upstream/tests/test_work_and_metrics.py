"""The product's work and its metrics agree: every value that the work gives fits its family, and nothing else moves."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from telemetry import business
from upstream import generator
from upstream.models import Alert, Customer, DriftEvent, Job, Payer
from upstream.tests.conftest import line

CODE = "a-customer-whose-code-is-as-long-as-a-code-can-be-0123456789-abc"
Points = dict[tuple[str, ...], float]


class Meter:
    """The business metrics as the stock SDK sees them."""

    def __init__(self, reader: InMemoryMetricReader) -> None:
        self._reader = reader

    def points(self, name: str) -> Points:
        """Values (of a histogram: how many) by label values, the labels in the order of their names."""
        data = self._reader.get_metrics_data()
        found: Points = {}
        for resource in data.resource_metrics if data else ():
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                if metric.name == name:
                    for point in metric.data.data_points:
                        key = tuple(str(value) for _, value in sorted((point.attributes or {}).items()))
                        found[key] = point.count if hasattr(point, "count") else point.value
        return found


@pytest.fixture
def meter() -> Iterator[Meter]:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    business.register_all(provider)
    yield Meter(reader)
    business.register_all()
    provider.shutdown()


@pytest.fixture
def done(db: None, meter: Meter, settings: Any) -> Meter:
    """Two uploads (one with a bad row of every kind, one unusable), detection twice, mail that fails once."""
    assert 64 == len(CODE)
    Customer.objects.create(code=CODE, name="Long")
    for code, name in generator.PAYERS.items():
        Payer.objects.create(code=code, name=name)
    web = Client()
    text = io.StringIO()
    generator.write(generator.claims(8_000, 1, CODE[:40], "humana"), text)
    bad = [
        line(customer=CODE, claim_id=""),
        line(customer=CODE, procedure_code="?"),
        line(customer=CODE, billed_amount="-1"),
        line(customer=CODE, payer="nobody"),
        line(customer=CODE, claim_id=f"{CODE[:40]}-000000001"),
    ]
    content = text.getvalue().replace(f"{CODE[:40]},", f"{CODE},") + "".join(f"{row}\n" for row in bad)
    for upload in (content.encode(), b"nonsense"):
        web.post("/claims/upload/", {"customer": CODE, "file": io.BytesIO(upload)})
    settings.UPSTREAM_ALERT_RECIPIENTS = []
    web.post("/detection/run/", {"customer": CODE})
    web.post("/detection/run/", {"customer": CODE})
    web.get("/claims/batches/", {"customer": CODE})
    return meter


PRODUCTS = ("DelayGuard", "DenialScope")
EXPECTED: dict[str, Points] = {
    "upstream_claim_records_ingested": {(CODE, "partial"): 8_000, (CODE, "failed"): 5},
    "upstream_ingestion_processing_seconds": {(CODE,): 2},
    "upstream_data_quality_check_failed": {
        ("missing_required_field", CODE, "error"): 1,
        ("invalid_format", CODE, "error"): 1,
        ("out_of_range", CODE, "error"): 1,
        ("referential_integrity", CODE, "critical"): 1,
        ("duplicate_record", CODE, "warning"): 1,
    },
    "upstream_background_job_started": {
        (CODE, "data_sync"): 2,
        (CODE, "drift_detection"): 2,
        (CODE, "alert_processing"): 2,
    },
    "upstream_background_job_completed": {(CODE, "data_sync"): 1, (CODE, "drift_detection"): 2},
    "upstream_background_job_failed": {
        (CODE, "FileRejected", "data_sync"): 1,
        (CODE, "NoRecipient", "alert_processing"): 2,
    },
    "upstream_background_job_duration_seconds": {("data_sync",): 2, ("drift_detection",): 2, ("alert_processing",): 2},
    "upstream_drift_computation_seconds": {(product,): 2 for product in PRODUCTS},
    "upstream_denial_signal": {(CODE, "rate_change"): 2},
    "upstream_payment_delay_signal": {(CODE, "high"): 2},
    "upstream_alert_suppressed": {(CODE, product, "duplicate"): 1 for product in PRODUCTS},
    "upstream_alert_failed": {("email", CODE, "NoRecipient", product): 1 for product in PRODUCTS},
    "upstream_alert_delivered": {},
    "upstream_alert_processing_seconds": {(product,): 1 for product in PRODUCTS},
    "upstream_api_endpoint_calls": {
        (CODE, "claims_upload", "POST"): 2,
        (CODE, "detection_run", "POST"): 2,
        (CODE, "claims_batches", "GET"): 1,
    },
    "upstream_api_rate_limit_hit": {},
    "upstream_cache_hit": {},
    "upstream_cache_miss": {},
    "upstream_report_generated": {},
    "upstream_report_generation_failed": {},
    "upstream_report_generation_seconds": {},
    # A value outside its family's bounds would be here.
    "telemetry_measurements_dropped": {},
}


class TestWork:
    def test_moves_its_metrics_and_no_others(self, done: Meter) -> None:
        assert EXPECTED == {name: done.points(name) for name in EXPECTED}

    def test_measures_what_it_stores(self, done: Meter) -> None:
        batch = Customer.objects.get().batches.get(status="partial")
        scores = {(CODE, metric_type): score for metric_type, score in batch.scores.values_list("metric_type", "score")}
        assert 4 == len(scores)
        assert scores == done.points("upstream_data_quality_score")
        assert DriftEvent.objects.count() == sum(done.points("upstream_drift_event_detected").values()) == 4
        assert Alert.objects.count() == sum(done.points("upstream_alert_created").values()) == 2
        assert Job.objects.count() == sum(done.points("upstream_background_job_started").values())
