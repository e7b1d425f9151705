"""The business metrics on a stock SDK of their own, read as Prometheus would read them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from telemetry.business import DROPPED, _declare, register_all

FAMILIES: dict[str, tuple[Any, ...]] = {
    "upstream_alert_created_total": ("counter", "product severity customer_id"),
    "upstream_alert_delivered_total": ("counter", "product channel_type customer_id"),
    "upstream_alert_failed_total": ("counter", "product channel_type error_type customer_id"),
    "upstream_alert_suppressed_total": ("counter", "product reason customer_id"),
    "upstream_alert_processing_seconds": ("histogram", "product", 0.1, 0.5, 1, 2, 5, 10, 30, 60),
    "upstream_drift_event_detected_total": ("counter", "product drift_type severity_level customer_id"),
    "upstream_drift_computation_seconds": ("histogram", "product", 1, 5, 10, 30, 60, 120, 300, 600),
    "upstream_payment_delay_signal_total": ("counter", "severity customer_id"),
    "upstream_denial_signal_total": ("counter", "signal_type customer_id"),
    "upstream_data_quality_score": ("gauge", "customer_id metric_type"),
    "upstream_data_quality_check_failed_total": ("counter", "check_type severity customer_id"),
    "upstream_claim_records_ingested_total": ("counter", "customer_id status"),
    "upstream_ingestion_processing_seconds": ("histogram", "customer_id", 0.5, 1, 5, 10, 30, 60, 120, 300),
    "upstream_background_job_started_total": ("counter", "job_type customer_id"),
    "upstream_background_job_completed_total": ("counter", "job_type customer_id"),
    "upstream_background_job_failed_total": ("counter", "job_type error_type customer_id"),
    "upstream_background_job_duration_seconds": ("histogram", "job_type", 1, 5, 30, 60, 300, 600, 1800, 3600),
    "upstream_report_generated_total": ("counter", "report_type customer_id"),
    "upstream_report_generation_failed_total": ("counter", "report_type error_type customer_id"),
    "upstream_report_generation_seconds": ("histogram", "report_type", 1, 5, 10, 30, 60, 120, 300, 600),
    "upstream_api_endpoint_calls_total": ("counter", "endpoint method customer_id"),
    "upstream_api_rate_limit_hit_total": ("counter", "endpoint throttle_class customer_id"),
    "upstream_cache_hit_total": ("counter", "cache_key_prefix"),
    "upstream_cache_miss_total": ("counter", "cache_key_prefix"),
}
"""The contract with the operators: name, type, labels, buckets."""


@dataclass(frozen=True)
class Shown:
    """A family with one series: its type, labels and value; of a histogram the sum, and its buckets by their bounds."""

    type: str
    labels: dict[str, str]
    value: float
    buckets: dict[float, float] = field(default_factory=dict)


class Scrape:
    """What a scrape shows: families by their full name, samples by name and labels."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def families(self) -> dict[str, Metric]:
        text = generate_latest(self._registry).decode()
        found = {}
        for family in text_string_to_metric_families(text):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            if name != "target_info":
                found[name] = family
        return found

    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families().values()
            for sample in family.samples
        }

    def read(self, name: str) -> Shown:
        """A family that has one series."""
        family = self.families()[name]
        samples = {sample.name.removeprefix(name): sample for sample in family.samples}
        buckets = {float(each.labels["le"]): each.value for each in family.samples if each.name == f"{name}_bucket"}
        value = samples["_sum" if buckets else ""]
        assert len(family.samples) == (len(buckets) + 2 if buckets else 1)
        return Shown(family.type, value.labels, value.value, buckets)

    def dropped(self) -> dict[tuple[str, str], float]:
        """The measurements dropped, by family and reason; nothing else may have been recorded."""
        assert {DROPPED.family.name} >= self.families().keys()
        return {
            (dict(labels)["family"], dict(labels)["reason"]): value for (_, labels), value in self.samples().items()
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples().get((name, frozenset(labels.items())))


@contextlib.contextmanager
def scrape() -> Iterator[Scrape]:
    """Bind every business instrument to a stock provider of its own, and to the global one afterwards."""
    registry = CollectorRegistry()
    reader = PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=registry)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    logged = set(_declare._logged)
    _declare._logged.clear()
    register_all(provider)
    try:
        yield Scrape(registry)
    finally:
        register_all()
        _declare._logged.clear()
        _declare._logged.update(logged)
        provider.shutdown()
