from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Enum,
    Gauge,
    Histogram,
    Info,
    Metric,
    Summary,
    generate_latest,
)
from prometheus_client.core import GaugeHistogramMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics import exposition as stock_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from telemetry.exposition import ForeignMetrics, Format, Renderer
from telemetry.exposition.text import render
from telemetry.tests.exposition.families import Given, counter, gauge


class Raising(Collector):
    def collect(self) -> Iterable[Metric]:
        yield Metric("half", "", "gauge")
        raise RuntimeError("out of order")


def everything(registry: CollectorRegistry) -> None:
    Counter("c", "A counter.", ["l"], registry=registry).labels('a"\n\\').inc(3, exemplar={"trace_id": "1"})
    Gauge("g", 'A "gauge".', registry=registry).set(1e7)
    Histogram("h", "A histogram.", registry=registry).observe(0.3, exemplar={"trace_id": "2"})
    Summary("s", "A summary.", registry=registry).observe(4)
    Info("i", "An info.", registry=registry).info({"version": "1"})
    Enum("e", "A state set.", states=["on", "off"], registry=registry)
    registry.register(Given(GaugeHistogramMetricFamily("gh", "", buckets=[("1.0", 4), ("+Inf", 5)], gsum_value=7)))


def never(_: Collector) -> bool:
    return False


class TestForeignMetrics:
    @pytest.mark.parametrize("target", [{}, {"service_name": "x"}])
    def test_every_type_is_written_as_prometheus_client_writes_it(self, target: dict[str, str]) -> None:
        registry = CollectorRegistry(target_info=target)
        everything(registry)
        foreign = ForeignMetrics(registry, never)
        assert generate_latest(registry) == Renderer().render([], Format.TEXT, foreign.collect())
        expected = stock_openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        assert expected == Renderer().render([], Format.OPENMETRICS, foreign.collect())

    def test_what_is_skipped_is_not_even_asked(self) -> None:
        registry = CollectorRegistry()
        Gauge("mine", "", registry=registry)
        registry.register(Raising())
        foreign = ForeignMetrics(registry, lambda collector: isinstance(collector, Raising))
        assert ["mine"] == [metric.name for metric in foreign.collect()]

    @pytest.mark.parametrize("broken", [Raising(), Given(None)], ids=["raises", "gives no metric"])  # type: ignore[arg-type]
    def test_a_broken_collector_costs_only_itself_and_is_logged_once(
        self, broken: Collector, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry = CollectorRegistry()
        Gauge("before", "", registry=registry)
        registry.register(broken)
        Gauge("after", "", registry=registry)
        foreign = ForeignMetrics(registry, never)
        for _ in range(2):
            assert ["before", "after"] == [metric.name for metric in foreign.collect()]
        (record,) = caplog.records
        assert type(broken).__qualname__ in record.getMessage()
        assert record.exc_info


WORKER = """
import sys
from prometheus_client import Counter, Gauge, Histogram
Counter("orders", "Orders.", ["kind"]).labels("a").inc(int(sys.argv[1]))
Gauge("queue", "Queue.", multiprocess_mode="max").set(int(sys.argv[1]))
Histogram("wait", "Waiting.").observe(int(sys.argv[1]))
"""


class TestMultiprocDir:
    """The mode is chosen when prometheus_client is imported: the workers are processes of their own."""

    def test_values_of_all_processes_are_read_as_by_prometheus_client(self, tmp_path: Path) -> None:
        for amount in ("3", "4"):
            environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
            subprocess.run([sys.executable, "-c", WORKER, amount], env=environ, check=True)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(tmp_path))  # type: ignore[no-untyped-call]
        foreign = ForeignMetrics(CollectorRegistry(), never, str(tmp_path))
        page = Renderer().render([], Format.TEXT, foreign.collect())
        assert generate_latest(registry) == page
        assert b'orders_total{kind="a"} 7.0' in page

    def test_the_registry_of_this_process_is_not_asked(self, tmp_path: Path) -> None:
        registry = CollectorRegistry()
        Gauge("mine", "", registry=registry)
        registry.register(Raising())
        assert [] == ForeignMetrics(registry, never, str(tmp_path)).collect()

    @pytest.mark.parametrize("directory", ["", "gone"])
    def test_a_directory_that_is_none_costs_only_these_metrics_and_is_logged_once(
        self, directory: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        foreign = ForeignMetrics(CollectorRegistry(), never, directory)
        for _ in range(2):
            assert [] == foreign.collect()
        (record,) = caplog.records
        assert f"PROMETHEUS_MULTIPROC_DIR are left out of the page: {directory!r}" in record.getMessage()


class TestRenderer:
    def test_our_families_come_first_and_the_end_comes_last(self) -> None:
        registry = CollectorRegistry()
        Gauge("theirs", "", registry=registry)
        page = Renderer().render([gauge("ours")], Format.OPENMETRICS, registry.collect()).decode()
        assert ["ours", "theirs"] == [m.name for m in text_string_to_metric_families(page)]  # type: ignore[no-untyped-call]
        assert 1 == page.count("# EOF")

    @pytest.mark.parametrize("format_", Format)
    @pytest.mark.parametrize(
        "ours", [counter("x_total", ((), 1.0)), gauge("x_total", ((), 1.0)), gauge("x", ((), 1.0))], ids=repr
    )
    def test_ours_wins_where_a_foreign_counter_has_its_name(
        self, ours: object, format_: Format, caplog: pytest.LogCaptureFixture
    ) -> None:
        registry = CollectorRegistry()
        Counter("x", "", registry=registry)
        renderer = Renderer()
        for _ in range(2):
            with_foreign = renderer.render([ours], format_, registry.collect())  # type: ignore[list-item]
            assert renderer.render([ours], format_) == with_foreign  # type: ignore[list-item]
        assert ["metric family 'x' is left out of the page: another family has its name"] == caplog.messages

    @pytest.mark.parametrize("format_", Format)
    def test_a_foreign_gauge_keeps_the_short_name_of_our_counter(self, format_: Format) -> None:
        registry = CollectorRegistry()
        Gauge("x", "", registry=registry).set(5)
        page = Renderer().render([counter("x_total", ((), 1.0), created=1.0)], format_, registry.collect()).decode()
        assert {"x_total 1.0", "x 5.0"} <= set(page.splitlines())
        if format_ is Format.OPENMETRICS:
            shape = {m.name: m.type for m in text_string_to_metric_families(page)}  # type: ignore[no-untyped-call]
            assert {"x_total": "unknown", "x": "gauge"} == shape

    def test_the_first_of_two_foreign_metrics_of_one_name_wins(self) -> None:
        metrics = [Metric("x", "first", "gauge"), Metric("x", "second", "gauge")]
        page = Renderer().render([], Format.TEXT, metrics)
        assert b"# HELP x first\n# TYPE x gauge\n" == page

    def test_a_foreign_metric_that_cannot_be_written_costs_only_itself(self, caplog: pytest.LogCaptureFixture) -> None:
        broken = Metric("broken", "", "gauge")
        broken.add_sample("broken", {"l": "\ud800"}, 1)
        page = Renderer().render([gauge("ours", ((), 1.0))], Format.TEXT, [broken, Metric("fine", "", "gauge")])
        assert render([gauge("ours", ((), 1.0)), gauge("fine")]).replace(b"fine A gauge.", b"fine ") == page
        assert "metric family 'broken' is left out" in caplog.text
