"""Each helper moves the series that it is named after, and none of them ever raises."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from telemetry.tests.business.harness import FAMILIES, Scrape, scrape
from upstream import metrics

HELPERS = {name: helper for name, helper in vars(metrics).items() if name.startswith("track_")}

CALLS = [
    ("alert_created", ("DriftWatch", "critical", "c"), "alert_created_total", 1),
    ("alert_delivered", ("DelayGuard", "email", "c"), "alert_delivered_total", 1),
    ("alert_failed", ("DelayGuard", "slack", "SMTPException", "c"), "alert_failed_total", 1),
    ("alert_suppressed", ("DenialScope", "cooldown", "c"), "alert_suppressed_total", 1),
    ("alert_processing", ("DriftWatch", 0.7), "alert_processing_seconds", 0.7),
    ("drift_computation", ("DriftWatch", 20), "drift_computation_seconds", 20),
    ("payment_delay_signal", ("high", "c"), "payment_delay_signal_total", 1),
    ("denial_signal", ("pattern_shift", "c"), "denial_signal_total", 1),
    ("data_quality_score", ("c", "timeliness", 0.75), "data_quality_score", 0.75),
    ("data_quality_check_failed", ("out_of_range", "error", "c"), "data_quality_check_failed_total", 1),
    ("data_quality_check_failed", ("out_of_range", "error", "c", 7), "data_quality_check_failed_total", 7),
    ("ingestion", ("c", 500), "claim_records_ingested_total", 500),
    ("ingestion", ("c", 0, "failed"), "claim_records_ingested_total", 0),
    ("ingestion_processing", ("c", 3.5), "ingestion_processing_seconds", 3.5),
    ("job_started", ("data_sync", "c"), "background_job_started_total", 1),
    ("job_completed", ("data_export", "c"), "background_job_completed_total", 1),
    ("job_failed", ("drift_detection", "ValueError", "c"), "background_job_failed_total", 1),
    ("job_duration", ("alert_processing", 61), "background_job_duration_seconds", 61),
    ("report_generated", ("drift_summary", "c"), "report_generated_total", 1),
    ("report_failed", ("denial_analysis", "OSError", "c"), "report_generation_failed_total", 1),
    ("report_generation", ("payment_analysis", 2), "report_generation_seconds", 2),
    ("api_call", ("claims-upload", "POST", "c"), "api_endpoint_calls_total", 1),
    ("rate_limit_hit", ("claims-upload", "burst", "c"), "api_rate_limit_hit_total", 1),
    ("cache_hit", ("payers",), "cache_hit_total", 1),
    ("cache_miss", ("payers",), "cache_miss_total", 1),
]


@pytest.fixture
def page() -> Iterator[Scrape]:
    with scrape() as found:
        yield found


class TestHelpers:
    def test_there_is_one_for_each_family(self) -> None:
        assert len(FAMILIES) == len(HELPERS)
        assert set(HELPERS) == {"track_drift_event", *(f"track_{name}" for name, *_ in CALLS)}

    @pytest.mark.parametrize(("helper", "arguments", "family", "value"), CALLS)
    def test_moves_its_family_and_no_other(
        self, helper: str, arguments: tuple[Any, ...], family: str, value: float, page: Scrape
    ) -> None:
        signature = inspect.signature(HELPERS[f"track_{helper}"])
        HELPERS[f"track_{helper}"](*arguments)

        bound = signature.bind(*arguments)
        bound.apply_defaults()
        kind, names, *_ = FAMILIES[f"upstream_{family}"]
        labels = {name: bound.arguments[name] for name in names.split()}
        assert [f"upstream_{family}"] == list(page.families())
        suffix = "_sum" if kind == "histogram" else ""
        assert value == page.value(f"upstream_{family}{suffix}", **labels)
        if kind == "histogram":
            assert 1 == page.value(f"upstream_{family}_count", **labels)

    @pytest.mark.parametrize(
        ("score", "level"),
        [(0, "low"), (0.39, "low"), (0.4, "medium"), (0.69, "medium"), (0.7, "high"), (1.0, "high")],
    )
    def test_a_drift_event_turns_its_score_into_a_level(self, score: float, level: str, page: Scrape) -> None:
        metrics.track_drift_event("DelayGuard", "payment_delay", score, "c")
        assert {
            (
                "upstream_drift_event_detected_total",
                frozenset(
                    {
                        ("product", "DelayGuard"),
                        ("drift_type", "payment_delay"),
                        ("severity_level", level),
                        ("customer_id", "c"),
                    }
                ),
            ): 1
        } == page.samples()

    @pytest.mark.parametrize(
        ("reason", "score"),
        [
            ("not_finite", math.nan),
            ("out_of_range", 1.01),
            ("out_of_range", -0.1),
            ("not_a_number", "high"),
            ("not_a_number", None),
        ],
    )
    @pytest.mark.parametrize(
        ("helper", "family", "arguments"),
        [
            (metrics.track_drift_event, "upstream_drift_event_detected_total", ("DelayGuard", "ar_aging", ..., "c")),
            (metrics.track_data_quality_score, "upstream_data_quality_score", ("c", "accuracy", ...)),
        ],
    )
    def test_a_score_out_of_0_to_1_is_dropped(
        self,
        helper: Callable[..., None],
        family: str,
        arguments: tuple[Any, ...],
        reason: str,
        score: Any,
        page: Scrape,
    ) -> None:
        helper(*(score if argument is ... else argument for argument in arguments))
        dropped = ("telemetry_measurements_dropped_total", frozenset({("family", family), ("reason", reason)}))
        assert {dropped: 1} == page.samples()

    @pytest.mark.parametrize("name", HELPERS)
    @pytest.mark.parametrize("rubbish", [None, math.nan, -1, "x" * 500, "\n", b"\xff", [], object()])
    def test_rubbish_is_dropped_and_counted_and_never_raises(self, name: str, rubbish: object, page: Scrape) -> None:
        helper = HELPERS[name]
        arguments = [p for p in inspect.signature(helper).parameters.values() if p.default is p.empty]

        helper(*[rubbish] * len(arguments))

        assert ["telemetry_measurements_dropped_total"] == list(page.families())
        assert [1] == list(page.samples().values())
