"""A detection pass as a job: what it stores, what it measures, what it leaves when it fails."""

from __future__ import annotations

import datetime
import io
from typing import Any

import pytest
from django.core.management import call_command

from upstream import generator
from upstream.detection import detect_now, request, service
from upstream.detection.comparison import PRODUCTS
from upstream.generator import Drift, Planted
from upstream.ingestion import ingest_now
from upstream.models import Alert, Customer, DriftEvent, Job, Payer
from upstream.tests.conftest import Calls, named, work

EMPTY = {"window_start": None, "window_end": None, "events": 0, "alerts": 0}


@pytest.fixture
def demo(db: None, settings: Any) -> Customer:
    # No pass but that which a test makes.
    settings.UPSTREAM_DETECT_AFTER_INGESTION = False
    for code, name in generator.PAYERS.items():
        Payer.objects.create(code=code, name=name)
    return Customer.objects.create(code="demo", name="Demo")


def load(customer: Customer, planted: Planted, *, seed: int = 6, rows: int = 5_000) -> None:
    text = io.StringIO()
    generator.write(generator.claims(rows, seed, customer.code, planted), text)
    assert "success" == ingest_now(customer, io.BytesIO(text.getvalue().encode()), "claims.csv").status


class TestDetect:
    def test_every_kind_of_event_is_stored_and_measured(self, demo: Customer, tracked: Calls) -> None:
        load(demo, list(zip(generator.PAYERS, Drift, strict=True)), seed=1, rows=16_000)
        job = detect_now(demo)
        events = {(event.drift_type, event.subject): event for event in DriftEvent.objects.all()}
        expected = {
            ("payment_delay", ""): ("aetna", "DelayGuard"),
            ("denial_rate", ""): ("anthem", "DenialScope"),
            ("denial_rate", generator.DRIFTING_REASON): ("cigna", "DenialScope"),
            ("adjustment_pattern", ""): ("humana", "DriftWatch"),
            ("code_mapping_change", generator.DRIFTING_PROCEDURE): ("medicare", "DriftWatch"),
            ("ar_aging", ""): ("united", "DriftWatch"),
        }
        assert expected == {what: (event.payer.code, event.product) for what, event in events.items()}
        for event in events.values():
            assert (job, demo) == (event.job, event.customer)
            assert (datetime.date(2025, 6, 1), generator.DEFAULT_END) == (event.window_start, event.window_end)
            assert event.p_value < 0.001
            assert event.current > event.baseline
        assert events["payment_delay", ""].current > events["payment_delay", ""].baseline + 10
        assert {(event.product, event.drift_type, event.severity, "demo") for event in events.values()} == set(
            named(tracked, "track_drift_event")
        )
        assert [("high", "demo")] == named(tracked, "track_payment_delay_signal")
        assert [("pattern_shift", "demo"), ("rate_change", "demo")] == sorted(named(tracked, "track_denial_signal"))
        assert set(PRODUCTS.values()) == {product for product, _ in named(tracked, "track_drift_computation")}
        assert 3 == len(named(tracked, "track_drift_computation"))

    def test_the_command_tells_what_was_found(self, demo: Customer) -> None:
        load(demo, [("cigna", Drift.DENIAL_REASON)], seed=1, rows=16_000)
        out = io.StringIO()
        call_command("detect_drift", "--customer=demo", stdout=out)
        assert "2025-06-01 to 2025-06-30: 1 drift events, 1 alerts\n" in out.getvalue()
        assert "  cigna denial_rate (prior authorization missing): 0.0" in out.getvalue()

    def test_the_result_is_kept_with_the_job(self, demo: Customer) -> None:
        load(demo, generator.drifting("cigna"))
        job = detect_now(demo)
        assert "completed" == job.status
        assert {
            "window_start": "2025-06-01",
            "window_end": "2025-06-30",
            "events": 2,
            "alerts": Alert.objects.count(),
        } == job.result
        assert 2 == job.drift_events.count()

    def test_a_worker_does_what_was_requested(self, demo: Customer) -> None:
        load(demo, generator.drifting("cigna"))
        job = request(demo, generator.DEFAULT_END)
        assert 0 == DriftEvent.objects.count()
        work()
        job.refresh_from_db()
        assert ("completed", 2) == (job.status, job.drift_events.count())

    def test_the_end_may_be_told(self, demo: Customer) -> None:
        load(demo, generator.drifting("cigna"))
        job = detect_now(demo, datetime.date(2025, 5, 31))
        assert ("2025-05-02", "2025-05-31", 0) == tuple(
            job.result[name] for name in ("window_start", "window_end", "events")
        )

    def test_no_drift_stores_nothing(self, demo: Customer, tracked: Calls) -> None:
        load(demo, (), seed=4)
        job = detect_now(demo)
        assert (0, 0, 0) == (job.result["events"], job.result["alerts"], DriftEvent.objects.count())
        assert [] == named(tracked, "track_drift_event")
        assert [("data_sync", "demo"), ("drift_detection", "demo")] == named(tracked, "track_job_completed")

    def test_without_claims_there_is_nothing_to_compare(self, demo: Customer) -> None:
        assert EMPTY == detect_now(demo).result

    def test_other_customers_are_left_out(self, demo: Customer) -> None:
        load(demo, generator.drifting("cigna"))
        assert EMPTY == detect_now(Customer.objects.create(code="other", name="Other")).result

    def test_failure_is_that_of_the_job(self, demo: Customer, tracked: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: object) -> None:
            raise ArithmeticError("no")

        load(demo, generator.drifting("cigna"))
        monkeypatch.setattr(service, "compare", fail)
        with pytest.raises(ArithmeticError):
            detect_now(demo)
        assert "failed" == Job.objects.get(job_type="drift_detection").status
        assert [("drift_detection", "ArithmeticError", "demo")] == named(tracked, "track_job_failed")
        assert [] == named(tracked, "track_drift_computation")

    def test_events_and_alerts_are_stored_together_or_not_at_all(
        self, demo: Customer, tracked: Calls, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(event: DriftEvent) -> None:
            if DriftEvent.objects.count() == 2:
                raise ArithmeticError("no")

        load(demo, generator.drifting("cigna"))
        monkeypatch.setattr("upstream.alerts.raise_for", fail)
        with pytest.raises(ArithmeticError):
            detect_now(demo)
        assert (0, 0) == (DriftEvent.objects.count(), Alert.objects.count())
        assert [] == named(tracked, "track_drift_event")
