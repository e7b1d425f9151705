"""The families of `/metrics` are those of the stock Prometheus exporter."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, SumAggregation, View
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.utils import floatToGoString

from telemetry.errors import ConfigurationError
from telemetry.samples import FamilySamples, HistogramValue, Reading
from telemetry.sdk.families import families
from telemetry.sdk.prometheus_reader import StorePrometheusReader
from telemetry.sdk.provider import StoreMeterProvider
from telemetry.spec import Family, FamilyType
from telemetry.store.memory import MemoryStore
from telemetry.tests.sdk import test_instruments
from telemetry.tests.sdk.compare import Script
from telemetry.tests.sdk.test_instruments import ALL, SYNCHRONOUS, everything

Page = dict[str, tuple[str, str, dict[Any, float]]]


@pytest.fixture(autouse=True)
def distinct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attributes that Prometheus can tell apart as labels: no two of 1, "1" and 1.0, no "" beside an absent one."""
    attributes = [None, {"a": "x"}, {"a": "y", "b": "x"}, {"a": 1}, {"a": True}, {"a": 1.5}, {"a": [1, 2]}]
    more = [{"a": {"j": [None, 2], "k": 1}}, {"a": None}, {"a": "ünï\u2028\n\"'\\"}, {"http.route": "/a/{b}", "b": 200}]
    monkeypatch.setattr(test_instruments, "ATTRIBUTES", [*attributes, *more])


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger = logging.getLogger("opentelemetry")
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(logging.NOTSET)


def page_of_registry(registry: Iterable[Metric]) -> Page:
    page: Page = {}
    for metric in registry:
        name = metric.name + ("_total" if metric.type == "counter" else "")
        assert name not in page, f"{name} stands twice"
        samples = page.setdefault(name, (metric.type, metric.documentation, {}))[2]
        for sample in metric.samples:
            labels = dict(sample.labels)
            if "le" in labels and sample.name.endswith("_bucket"):
                labels["le"] = floatToGoString(float(labels["le"]))  # type: ignore[no-untyped-call]
            key = (sample.name, tuple(sorted(labels.items())))
            assert key not in samples, f"{key} stands twice"
            samples[key] = sample.value
    return page


def page_of_families(found: Iterable[FamilySamples]) -> Page:
    page: Page = {}
    for item in found:
        family = item.family
        assert family.name not in page, f"{family.name} stands twice"
        samples: dict[Any, float] = {}
        for labels, value in item.series:
            assert list(labels) == sorted(labels)
            assert tuple(name for name, _ in labels) == family.labels
            if isinstance(value, HistogramValue):
                cumulative = itertools.accumulate(value.counts)
                for edge, count in zip((*family.buckets, math.inf), cumulative, strict=True):
                    bounded = tuple(sorted([*labels, ("le", floatToGoString(edge))]))  # type: ignore[no-untyped-call]
                    samples[f"{family.name}_bucket", bounded] = count
                samples[f"{family.name}_sum", labels] = value.sum
                samples[f"{family.name}_count", labels] = value.count
            else:
                assert (family.name, labels) not in samples
                samples[family.name, labels] = value
        page[family.name] = (str(family.type), family.help, samples)
    return page


def stock_page(script: Script, **options: Any) -> Page:
    registry = CollectorRegistry()
    reader = PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=registry)
    provider = MeterProvider([reader], shutdown_on_exit=False, **options)
    script(provider.get_meter("scope", "1.0"))
    return page_of_registry(registry.collect())


def our_page(script: Script, declared: dict[str, Family] | None = None, **options: Any) -> Page:
    store = MemoryStore()
    provider = StoreMeterProvider(store=store, shutdown_on_exit=False, **options)
    script(provider.get_meter("scope", "1.0"))
    provider.publish()
    return page_of_families(families(provider, store.read(), declared))


def named(*instruments: tuple[str, str, str]) -> Script:
    def script(meter: Meter) -> None:
        for kind, name, unit in instruments:
            match kind:
                case "counter":
                    meter.create_counter(name, unit=unit, description="x").add(1, {"a": "b"})
                case "updown":
                    meter.create_up_down_counter(name, unit=unit, description="x").add(1, {"a": "b"})
                case "gauge":
                    meter.create_gauge(name, unit=unit, description="x").set(1, {"a": "b"})
                case "histogram":
                    meter.create_histogram(name, unit=unit, description="x").record(1, {"a": "b"})

    return script


KINDS = ("counter", "updown", "gauge", "histogram")
UNITS = (
    "",
    "1",
    "s",
    "ms",
    "By",
    "%",
    "{request}",
    "m/s",
    "{a}/s",
    "/min",
    "widgets",
    "a b-c",
    "KiBy/d",
    "Cel",
    "total",
)
NAMES = (
    "requests",
    "requests_total",
    "request.duration",
    "duration_seconds",
    "time_s",
    "a..b--c__d",
    "http.server/x",
    "bytes",
    "x_total_seconds",
    "UPPER.Case",
)


class TestFamilies:
    @pytest.mark.parametrize("script", ALL, ids=lambda script: script.__name__)
    def test_instrument(self, script: Script) -> None:
        page = our_page(script)
        assert page
        assert stock_page(script) == page

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("unit", UNITS)
    def test_names(self, kind: str, unit: str) -> None:
        for name in NAMES:
            script = named((kind, name, unit))
            assert stock_page(script) == our_page(script)

    @pytest.mark.parametrize(
        "key", ["a.b", "a-b", "1a", "_x", "__name__", "é", "a:b", "A", "a b c", "le.x", "quantile"]
    )
    def test_label_names(self, key: str) -> None:
        def script(meter: Meter) -> None:
            meter.create_counter("c").add(1, {key: "x", "z": "y"})
            meter.create_histogram("h").record(1, {key: "x"})

        assert stock_page(script) == our_page(script)

    def test_views(self) -> None:
        views = [
            View(instrument_name="requests", name="9 renamed!", description="New help", attribute_keys={"a", "b"}),
            View(instrument_name="duration", aggregation=SumAggregation()),
        ]
        assert stock_page(everything, views=views) == our_page(everything, views=views)

    def test_exponential_histograms_are_left_out(self) -> None:
        """The stock exporter fails on them, and with it the whole scrape."""
        views = [View(instrument_name="duration", aggregation=ExponentialBucketHistogramAggregation())]
        with pytest.raises(AttributeError):
            stock_page(everything, views=views)
        expected = stock_page(everything)
        del expected["duration_milliseconds"]
        assert our_page(everything, views=views) == expected
        registry = CollectorRegistry()
        provider = StoreMeterProvider(
            [StorePrometheusReader(registry)], store=MemoryStore(), views=views, shutdown_on_exit=False
        )
        everything(provider.get_meter("scope"))
        assert "duration_milliseconds" not in page_of_registry(registry.collect())
        assert "advised" in page_of_registry(registry.collect())

    def test_missing_labels_are_empty(self) -> None:
        def script(meter: Meter) -> None:
            counter = meter.create_counter("c")
            counter.add(1, {"a": "x"})
            counter.add(2, {"b": "y"})

        page = our_page(script)
        assert stock_page(script) == page
        assert (("a", ""), ("b", "y")) in {labels for _, labels in page["c_total"][2]}


class TestWhatTheStockExporterBreaks:
    """Prometheus rejects a name or a label set that stands twice."""

    def test_colliding_labels_are_added_up(self) -> None:
        def script(meter: Meter) -> None:
            counter = meter.create_counter("c")
            counter.add(1, {"a.b": "x", "c": "z"})
            counter.add(2, {"a_b": "x", "c": "z"})
            histogram = meter.create_histogram("h", explicit_bucket_boundaries_advisory=[1])
            histogram.record(1, {"a.b": "x"})
            histogram.record(2, {"a-b": "x"})

        page = our_page(script)
        assert page["c_total"][2] == {("c_total", (("a_b", "x"), ("c", "z"))): 3}
        assert page["h"][2]["h_sum", (("a_b", "x"),)] == 3
        assert page["h"][2]["h_count", (("a_b", "x"),)] == 2

    def test_an_empty_label_is_an_absent_one(self) -> None:
        def script(meter: Meter) -> None:
            counter = meter.create_counter("c")
            for attributes in ({"a": "x"}, {"a": ""}, {}, {"a": "1"}, {"a": 1}):
                counter.add(1, attributes)

        page = our_page(script)
        assert page["c_total"][2] == {
            ("c_total", (("a", "x"),)): 1,
            ("c_total", (("a", ""),)): 2,
            ("c_total", (("a", "1"),)): 2,
        }

    def test_one_name_with_two_descriptions_is_one_family(self) -> None:
        def script(meter: Meter) -> None:
            meter.create_counter("c", description="first").add(1, {"a": "x"})
            meter.create_counter("c", description="second").add(2, {"a": "x"})

        assert our_page(script) == {"c_total": ("counter", "first", {("c_total", (("a", "x"),)): 3})}

    def test_two_scopes_share_a_family(self) -> None:
        store = MemoryStore()
        provider = StoreMeterProvider(store=store, shutdown_on_exit=False)
        provider.get_meter("one").create_counter("c").add(1, {"a": "x"})
        provider.get_meter("two").create_counter("c").add(1, {"b": "y"})
        page = page_of_families(families(provider, store.read()))
        assert page["c_total"][2] == {
            ("c_total", (("a", "x"), ("b", ""))): 1,
            ("c_total", (("a", ""), ("b", "y"))): 1,
        }

    def test_a_label_le_on_a_histogram(self) -> None:
        page = our_page(lambda meter: meter.create_histogram("h").record(1, {"le": "5"}))
        assert page["h"][2]["h_count", (("exported_le", "5"),)] == 1


class TestWithoutData:
    DECLARED = {
        "plain_total": Family("plain_total", FamilyType.COUNTER, "help"),
        "labelled": Family("labelled_total", FamilyType.COUNTER, "help", ("a",)),
    }

    @staticmethod
    def script(meter: Meter) -> None:
        meter.create_counter("plain_total", description="help")
        meter.create_counter("labelled")
        meter.create_counter("undeclared")
        meter.create_histogram("seconds", explicit_bucket_boundaries_advisory=[1, 2])
        meter.create_observable_gauge("nobody_told", [lambda options: []])
        meter.create_observable_gauge("told", [lambda options: [Observation(1)]])

    def test_help_and_type_of_all_and_0_of_declared_label_less_counters(self) -> None:
        assert our_page(self.script, self.DECLARED) == {
            "plain_total": ("counter", "help", {("plain_total", ()): 0}),
            "labelled_total": ("counter", "", {}),
            "undeclared_total": ("counter", "", {}),
            "seconds": ("histogram", "", {}),
            "nobody_told": ("gauge", "", {}),
            "told": ("gauge", "", {("told", ()): 1}),
        }

    def test_the_registry_shows_the_same(self) -> None:
        registry, store = CollectorRegistry(auto_describe=True), MemoryStore()
        reader = StorePrometheusReader(registry)
        provider = StoreMeterProvider([reader], store=store, shutdown_on_exit=False, declared=self.DECLARED)
        for script in (self.script, *SYNCHRONOUS):
            script(provider.get_meter("scope"))
        page = page_of_families(families(provider, store.read()))
        assert page_of_registry(registry.collect()) == page

    def test_a_provider_without_a_store_is_refused(self) -> None:
        provider = MeterProvider(shutdown_on_exit=False)
        with pytest.raises(ConfigurationError, match="does not record into a store"):
            families(provider, Reading(1, 0.0, "", {}))
