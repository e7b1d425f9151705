"""The product's work and its metrics agree: every value that the work gives fits its family, and nothing else moves."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from telemetry import business
from upstream import generator, jobs
from upstream.models import Alert, AlertChannel, ApiToken, Customer, DriftEvent, Job, Payer, QualitySnapshot
from upstream.tests.conftest import line, work
from upstream.tests.receiver import receiver

CODE = "a-customer-whose-code-is-as-long-as-a-code-can-be-0123456789-abc"
JSON = "application/json"
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
def done(transactional_db: None, meter: Meter, settings: Any) -> Meter:
    """All work once, and what can go wrong with it.

    Two uploads (one with a bad row of every kind, one unusable), detection after the first and once more, a webhook
    that takes what it gets, two reports (one over a month without claims), a snapshot, and a call too many.
    """
    assert 64 == len(CODE)
    customer = Customer.objects.create(code=CODE, name="Long")
    for code, name in generator.PAYERS.items():
        Payer.objects.create(code=code, name=name)
    program = Client(headers={"Authorization": f"Token {ApiToken.issue(customer, 'test')[1]}"})
    text = io.StringIO()
    generator.write(generator.claims(8_000, 1, CODE[:40], generator.drifting("humana")), text)
    bad = [
        line(customer=CODE, claim_id=""),
        line(customer=CODE, procedure_code="?"),
        line(customer=CODE, billed_amount="-1"),
        line(customer=CODE, payer="nobody"),
        line(customer=CODE, claim_id=f"{CODE[:40]}-000000001"),
    ]
    content = text.getvalue().replace(f"{CODE[:40]},", f"{CODE},")
    # The generator's files have a column more.
    content += "".join(f"{row}{',' * (content.partition(chr(10))[0].count(',') - row.count(','))}\n" for row in bad)
    for upload in (content.encode(), b"nonsense"):
        answer = program.post("/api/v1/batches/", {"file": io.BytesIO(upload)})
        assert 202 == answer.status_code, answer.content
    settings.UPSTREAM_ALERT_RECIPIENTS = []
    with receiver() as webhook:
        AlertChannel.objects.create(
            customer=customer, channel_type="webhook", target=webhook.url(), secret="whsec_c2VjcmV0"
        )
        work()
        assert 202 == program.post("/api/v1/detections/", {}, JSON).status_code
        work()
    for year in ("2025", "2001"):
        days = {"start": f"{year}-06-01", "end": f"{year}-06-30"}
        answer = program.post("/api/v1/reports/", {"report_type": "denial_analysis", **days}, JSON)
        assert 202 == answer.status_code, answer.content
    jobs.enqueue("quality", customer, day=timezone.localdate().isoformat())
    work()
    assert 200 == program.get("/api/v1/batches/").status_code
    settings.UPSTREAM_API_BURST = "1/minute"
    assert 429 == program.get("/api/v1/customer/").status_code
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
        (CODE, "data_sync"): 3,
        (CODE, "drift_detection"): 2,
        (CODE, "alert_processing"): 2,
        (CODE, "report_generation"): 2,
    },
    "upstream_background_job_completed": {
        (CODE, "data_sync"): 2,
        (CODE, "drift_detection"): 2,
        (CODE, "alert_processing"): 2,
        (CODE, "report_generation"): 1,
    },
    "upstream_background_job_failed": {
        (CODE, "FileRejected", "data_sync"): 1,
        (CODE, "NoData", "report_generation"): 1,
    },
    "upstream_background_job_duration_seconds": {
        ("data_sync",): 3,
        ("drift_detection",): 2,
        ("alert_processing",): 2,
        ("report_generation",): 2,
    },
    "upstream_drift_computation_seconds": {(product,): 2 for product in (*PRODUCTS, "DriftWatch")},
    "upstream_denial_signal": {(CODE, "rate_change"): 2},
    "upstream_payment_delay_signal": {(CODE, "high"): 2},
    "upstream_alert_suppressed": {(CODE, product, "duplicate"): 1 for product in PRODUCTS},
    "upstream_alert_failed": {},
    "upstream_alert_delivered": {("webhook", CODE, product): 1 for product in PRODUCTS},
    "upstream_alert_processing_seconds": {(product,): 1 for product in PRODUCTS},
    "upstream_api_endpoint_calls": {
        (CODE, "batches-list", "POST"): 2,
        (CODE, "batches-list", "GET"): 1,
        (CODE, "detections-list", "POST"): 1,
        (CODE, "reports-list", "POST"): 2,
        (CODE, "customer", "GET"): 1,
    },
    "upstream_api_rate_limit_hit": {(CODE, "customer", "burst"): 1},
    "upstream_cache_hit": {},
    # Asked for when the files were taken in, before any of their rows had been read.
    "upstream_cache_miss": {("ingest_progress",): 2},
    "upstream_report_generated": {(CODE, "denial_analysis"): 1},
    "upstream_report_generation_failed": {(CODE, "NoData", "denial_analysis"): 1},
    "upstream_report_generation_seconds": {("denial_analysis",): 2},
    # A value outside its family's bounds would be here.
    "telemetry_measurements_dropped": {},
}


class TestWork:
    def test_moves_its_metrics_and_no_others(self, done: Meter) -> None:
        assert EXPECTED == {name: done.points(name) for name in EXPECTED}

    def test_measures_what_it_stores(self, done: Meter) -> None:
        day = QualitySnapshot.objects.values_list("metric_type", "score")
        scores = {(CODE, metric_type): score for metric_type, score in day}
        assert 4 == len(scores)
        assert scores == done.points("upstream_data_quality_score")
        assert DriftEvent.objects.count() == sum(done.points("upstream_drift_event_detected").values()) == 4
        assert Alert.objects.count() == sum(done.points("upstream_alert_created").values()) == 2
        assert Job.objects.count() == sum(done.points("upstream_background_job_started").values())
