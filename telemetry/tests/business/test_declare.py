"""The declared families, what a recording drops, and which provider it reaches."""

from __future__ import annotations

import decimal
import logging
import math
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from enum import StrEnum

import pytest

from telemetry.business import DROPPED, alerts, drift, jobs, measures, quality, reports
from telemetry.business.alerts import ALERT_CREATED, Severity
from telemetry.business.labels import Product
from telemetry.tests.business.harness import FAMILIES, Scrape, scrape


@pytest.fixture
def page() -> Iterator[Scrape]:
    with scrape() as found:
        yield found


class TestContract:
    def test_declares_the_families_and_the_count_of_the_dropped(self) -> None:
        declared = {measure.family.name for measure in measures().values()}
        assert {*FAMILIES, "telemetry_measurements_dropped_total"} <= declared

    @pytest.mark.parametrize("name", FAMILIES)
    def test_the_stock_exporter_shows_name_type_labels_and_buckets(self, name: str, page: Scrape) -> None:
        kind, labels, *buckets = FAMILIES[name]
        (measure,) = (each for each in measures().values() if each.family.name == name)
        values = {key: label.values[0] if label.values else "some" for key, label in measure.labels.items()}

        measure.offer(1, **values)

        family = page.families()[name]
        assert kind == family.type
        assert measure.family.help == family.documentation
        assert {frozenset(labels.split())} == {frozenset(sample.labels) - {"le"} for sample in family.samples}
        edges = [float(sample.labels["le"]) for sample in family.samples if sample.name.endswith("_bucket")]
        assert ([*buckets, math.inf] if buckets else []) == edges
        assert (kind, tuple(labels.split()), tuple(buckets)) == (
            measure.family.type,
            measure.family.labels,
            measure.family.buckets,
        )

    @pytest.mark.parametrize(
        ("values", "given"),
        [
            ("low medium high critical", alerts.Severity),
            ("email slack webhook", alerts.Channel),
            ("cooldown duplicate noise_pattern", alerts.Suppression),
            ("payment_delay denial_rate adjustment_pattern code_mapping_change ar_aging", drift.DriftType),
            ("low medium high", drift.SeverityLevel),
            ("rate_change pattern_shift", drift.DenialSignal),
            ("completeness accuracy timeliness consistency", quality.QualityMetric),
            ("warning error critical", quality.CheckSeverity),
            ("success failed partial", quality.IngestionStatus),
            (
                "missing_required_field invalid_format out_of_range referential_integrity duplicate_record",
                quality.Check,
            ),
            ("drift_summary payment_analysis denial_analysis quality_dashboard", reports.ReportType),
            ("DriftWatch DelayGuard DenialScope", Product),
            ("drift_detection report_generation data_sync data_export alert_processing", jobs.JobType),
        ],
    )
    def test_the_label_values_are_the_known_set(self, values: str, given: type[StrEnum]) -> None:
        assert set(values.split()) == {member.value for member in given}

    def test_the_budget_is_what_the_labels_can_make(self) -> None:
        assert 5 * 200 == jobs.BACKGROUND_JOB_STARTED.series_budget


class TestRecording:
    def test_adds_up(self, page: Scrape) -> None:
        ALERT_CREATED.add(product=Product.DRIFTWATCH, severity=Severity.HIGH, customer_id="c1")
        ALERT_CREATED.add(2, product=Product.DRIFTWATCH, severity=Severity.HIGH, customer_id="c1")
        assert 3 == page.value("upstream_alert_created_total", product="DriftWatch", severity="high", customer_id="c1")

    def test_a_score_keeps_the_last_value(self, page: Scrape) -> None:
        for score in (0.5, 0.0, 1.0, 0.25):
            quality.DATA_QUALITY_SCORE.set(score, customer_id="c1", metric_type=quality.QualityMetric.ACCURACY)
        assert 0.25 == page.value("upstream_data_quality_score", customer_id="c1", metric_type="accuracy")

    @pytest.mark.parametrize(
        ("reason", "value", "labels"),
        [
            ("unknown_value", 1, {"severity": "urgent"}),
            ("unknown_value", 1, {"severity": ""}),
            ("not_a_string", 1, {"severity": None}),
            ("not_a_string", 1, {"severity": 1}),
            ("not_a_string", 1, {"customer_id": -1}),
            ("not_a_string", 1, {"customer_id": True}),
            ("not_a_string", 1, {"customer_id": 1.0}),
            ("not_a_string", 1, {"customer_id": b"c1"}),
            ("empty", 1, {"customer_id": ""}),
            ("too_long", 1, {"customer_id": "c" * 65}),
            ("too_long", 1, {"customer_id": 10**64}),
            ("not_printable", 1, {"customer_id": "c\n1"}),
            ("not_printable", 1, {"customer_id": "\ud800"}),
            ("wrong_labels", 1, {"payer": "p"}),
            ("unknown_value", 1, {"product": "driftwatch"}),
            ("not_a_number", "1", {}),
            ("not_a_number", True, {}),
            ("not_a_number", None, {}),
            ("not_a_number", decimal.Decimal(1), {}),
            ("not_finite", math.nan, {}),
            ("not_finite", math.inf, {}),
            ("out_of_range", -1, {}),
            ("out_of_range", 10**400, {}),
        ],
    )
    def test_drops_counts_and_logs_once_what_does_not_fit(
        self, reason: str, value: object, labels: dict[str, object], page: Scrape, caplog: pytest.LogCaptureFixture
    ) -> None:
        fitting = {"product": "DriftWatch", "severity": "high", "customer_id": "c1"}
        for _ in range(3):
            ALERT_CREATED.offer(value, **fitting | labels)

        samples = page.samples()
        dropped = ("telemetry_measurements_dropped_total", "upstream_alert_created_total", reason)
        assert {dropped: 3} == {(name, *(v for _, v in sorted(pairs))): v for (name, pairs), v in samples.items()}
        (record,) = caplog.records
        assert logging.WARNING == record.levelno
        assert record.getMessage().startswith(f"upstream_alert_created_total: measurement dropped ({reason}): ")
        assert "valid: " in record.getMessage()
        assert len(record.getMessage()) < 300

    @pytest.mark.parametrize(("number", "shown"), [(1, "1"), (0, "0"), (2**63, "9223372036854775808")])
    def test_takes_the_id_of_a_database_for_an_open_label(self, number: int, shown: str, page: Scrape) -> None:
        ALERT_CREATED.offer(1, product="DriftWatch", severity="high", customer_id=number)
        ALERT_CREATED.offer(1, product="DriftWatch", severity="high", customer_id=shown)
        labels = frozenset({("product", "DriftWatch"), ("severity", "high"), ("customer_id", shown)})
        assert {("upstream_alert_created_total", labels): 2} == page.samples()

    def test_takes_the_longest_text(self, page: Scrape) -> None:
        ALERT_CREATED.offer(1, product="DriftWatch", severity="high", customer_id="é" * 64)
        assert 1 == page.value(
            "upstream_alert_created_total", product="DriftWatch", severity="high", customer_id="é" * 64
        )

    def test_a_failing_instrument_hurts_nobody(
        self, page: Scrape, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(value: float, labels: object) -> None:
            raise RuntimeError("broken")

        monkeypatch.setattr(ALERT_CREATED, "_record", fail)
        ALERT_CREATED.add(product=Product.DRIFTWATCH, severity=Severity.LOW, customer_id="c1")
        assert 1 == page.value(
            "telemetry_measurements_dropped_total", family="upstream_alert_created_total", reason="failed"
        )
        assert "RuntimeError('broken')" in caplog.text
        monkeypatch.setattr(DROPPED, "_record", fail)
        ALERT_CREATED.add(product=Product.DRIFTWATCH, severity=Severity.LOW, customer_id="c1")

    def test_a_value_that_cannot_be_shown_hurts_nobody(self, page: Scrape) -> None:
        class Hostile:
            def __repr__(self) -> str:
                raise RuntimeError

        ALERT_CREATED.offer(Hostile(), product=Hostile())
        assert 1 == page.value(
            "telemetry_measurements_dropped_total", family="upstream_alert_created_total", reason="not_a_number"
        )


class TestRegistration:
    def test_telemetry_alone_declares_and_makes_none(self) -> None:
        script = """
            import sys, telemetry, opentelemetry.metrics as m
            from opentelemetry.metrics._internal import _PROXY_METER_PROVIDER as proxy
            made = lambda: [i._name for meter in proxy._meters for i in meter._instruments]
            assert "telemetry.business" not in sys.modules
            import telemetry.business
            assert made() == [], made()
            telemetry.business.register_all()
            assert len(made()) == len(telemetry.business.measures()) > 24, made()
        """
        _python(script)

    def test_instruments_bind_to_a_provider_set_later(self) -> None:
        script = """
            from telemetry.business import register_all, alerts, labels
            register_all()
            from opentelemetry import metrics
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.metrics.export import InMemoryMetricReader
            reader = InMemoryMetricReader()
            metrics.set_meter_provider(MeterProvider([reader]))
            alerts.ALERT_PROCESSING.record(0.3, product=labels.Product.DELAYGUARD)
            data = reader.get_metrics_data()
            (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
            (point,) = metric.data.data_points
            assert metric.name == "upstream_alert_processing_seconds", metric.name
            assert point.attributes == {"product": "DelayGuard"}, point.attributes
            assert point.explicit_bounds == (0.1, 0.5, 1, 2, 5, 10, 30, 60), point.explicit_bounds
            assert tuple(point.bucket_counts) == (0, 1, 0, 0, 0, 0, 0, 0, 0), point.bucket_counts
        """
        _python(script)


def _python(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
