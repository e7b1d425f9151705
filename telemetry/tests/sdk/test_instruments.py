"""Every kind of instrument gives the points that the stock SDK gives for the same measurements."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    UpDownCounter,
    _Gauge,
)
from opentelemetry.sdk.metrics import MeterProvider as StockProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    LastValueAggregation,
    SumAggregation,
    View,
)
from opentelemetry.sdk.trace import TracerProvider

from telemetry.catalogue.own import DROPPED
from telemetry.sdk.provider import StoreMeterProvider
from telemetry.store.memory import MemoryStore
from telemetry.tests.sdk.compare import Script, both, plain

ATTRIBUTES: list[dict[str, Any] | None] = [
    None,
    {},
    {"a": "x"},
    {"a": "y", "b": "x"},
    {"b": "x", "a": "y"},
    {"a": 1},
    {"a": True},
    {"a": 1.0},
    {"a": "1"},
    {"a": "True"},
    {"a": [1, 2]},
    {"a": (True, 2)},
    {"a": ["1", "2"]},
    {"a": {"k": 1, "j": [None, b"\x00\xff"]}},
    {"a": None},
    {"a": "null"},
    {"a": ""},
    {"a": "ünï\u2028\n\"'\\"},
    {"http.route": "/a/{b}", "http.response.status_code": 200},
    {1: "not a string"},  # type: ignore[dict-item]
    {"": "no name"},
]
# Sums of these are exact in any order: the stock SDK adds up what it has collected, the store what was recorded.
VALUES = [1, 2.5, 0, 7, 0.125, 0.25, 5, 5.0, 10_000, 10_001, 2**-10, 2**40]
INVALID = [-1, math.nan, math.inf, -math.inf]


def counter(meter: Meter) -> None:
    instrument = meter.create_counter("Requests", unit="s", description="How many")
    for attributes in ATTRIBUTES:
        for value in VALUES + INVALID:
            instrument.add(value, attributes)


def up_down(meter: Meter) -> None:
    instrument = meter.create_up_down_counter("active", unit="{request}")
    for attributes in ATTRIBUTES:
        for value in [*VALUES, -3, -2.5, *INVALID]:
            instrument.add(value, attributes)


def histogram(meter: Meter) -> None:
    instrument = meter.create_histogram("duration", unit="ms", description="How long")
    for attributes in ATTRIBUTES:
        for value in VALUES + INVALID:
            instrument.record(value, attributes)


def advised(meter: Meter) -> None:
    instrument = meter.create_histogram("advised", explicit_bucket_boundaries_advisory=[0.1, 1, 5])
    for value in VALUES:
        instrument.record(value, {"a": "x"})


def gauge(meter: Meter) -> None:
    instrument = meter.create_gauge("temperature", unit="Cel")
    for attributes in ATTRIBUTES:
        for value in [*VALUES, -3, *INVALID]:
            instrument.set(value, attributes)


def observe(options: CallbackOptions) -> list[Observation]:
    return [Observation(index + 0.5, attributes) for index, attributes in enumerate(ATTRIBUTES[2:])] + [
        Observation(math.nan, {"a": "x"}),
        Observation(3, None),
    ]


def twice(options: CallbackOptions) -> list[Observation]:
    return [Observation(4, {"a": "x"}), Observation(6, {"a": "x"})]


def observable_counter(meter: Meter) -> None:
    meter.create_observable_counter("seen", [observe, twice], unit="By", description="So far")


def observable_up_down(meter: Meter) -> None:
    meter.create_observable_up_down_counter("pool", [observe, twice])


def observable_gauge(meter: Meter) -> None:
    meter.create_observable_gauge("load", [observe, twice])


def generator(meter: Meter) -> None:
    def told() -> Any:
        total = 0
        options = yield []
        while True:
            assert isinstance(options, CallbackOptions)
            total += 3
            options = yield [Observation(total, {"a": "x"})]

    meter.create_observable_counter("generated", [told()])


SYNCHRONOUS = [counter, up_down, histogram, advised, gauge]
OBSERVABLE = [observable_counter, observable_up_down, observable_gauge, generator]
ALL = SYNCHRONOUS + OBSERVABLE


def everything(meter: Meter) -> None:
    for script in ALL:
        script(meter)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The SDK says a line for each of the invalid values."""
    logger = logging.getLogger("opentelemetry")
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(logging.NOTSET)


class TestInstruments:
    @pytest.mark.parametrize("script", ALL, ids=lambda script: script.__name__)
    def test_one_collection(self, script: Script) -> None:
        stock, ours = both(script)
        assert stock[0][0], "the script measures nothing"
        assert stock == ours

    @pytest.mark.parametrize("script", ALL, ids=lambda script: script.__name__)
    def test_repeated_collections(self, script: Script) -> None:
        stock, ours = both(script, lambda meter: None, script)
        assert stock == ours

    def test_a_meter_without_measurements_gives_nothing(self) -> None:
        stock, ours = both(lambda meter: meter.create_counter("unused"))
        assert stock == ours == [[{}]]

    def test_labels_by_enum_are_their_values(self) -> None:
        class Product(StrEnum):
            DRIFT = "drift"

        reader = InMemoryMetricReader()
        provider = StoreMeterProvider([reader], store=MemoryStore(), shutdown_on_exit=False)
        instrument = provider.get_meter("scope").create_counter("made")
        for product in (Product.DRIFT, "drift", Product.DRIFT):
            instrument.add(1, {"product": product})
        ((points),) = plain(reader.get_metrics_data()).values()
        assert points == {(("product", ("str", "drift")),): {"value": 3.0}}

    def test_threads_that_meet_at_the_first_measurement(self) -> None:
        for _ in range(20):
            reader = InMemoryMetricReader()
            provider = StoreMeterProvider([reader], store=MemoryStore(), shutdown_on_exit=False)
            meter = provider.get_meter("scope")
            start = threading.Barrier(8)

            def measure(meter: Meter = meter, start: threading.Barrier = start) -> None:
                counter = meter.create_counter("c")
                start.wait()
                for index in range(100):
                    counter.add(1, {"a": index % 10})

            threads = [threading.Thread(target=measure) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            ((points),) = plain(reader.get_metrics_data()).values()
            assert [point["value"] for point in points.values()] == [80] * 10

    def test_two_scopes_are_two_metrics(self) -> None:
        reader = InMemoryMetricReader()
        provider = StoreMeterProvider([reader], store=MemoryStore(), shutdown_on_exit=False)
        for scope, attributes in (("a", None), ("b", None), ("b", {"k": 1}), ("b", {"k": "1"})):
            provider.get_meter(scope, attributes=attributes).create_counter("same").add(1)
        data = reader.get_metrics_data()
        assert data is not None
        scopes = [
            (scoped.scope.name, dict(scoped.scope.attributes or {}))
            for scoped in data.resource_metrics[0].scope_metrics
        ]
        assert scopes == [("a", {}), ("b", {}), ("b", {"k": 1}), ("b", {"k": "1"})]


class TestTemporality:
    @staticmethod
    def readers() -> list[InMemoryMetricReader]:
        kinds: list[type] = [Counter, UpDownCounter, Histogram, _Gauge, ObservableCounter, ObservableGauge]
        delta = dict.fromkeys(kinds, AggregationTemporality.DELTA)
        return [InMemoryMetricReader(preferred_temporality=delta), InMemoryMetricReader()]

    @pytest.mark.parametrize("script", ALL, ids=lambda script: script.__name__)
    def test_delta(self, script: Script) -> None:
        stock, ours = both(script, lambda meter: None, script, readers=self.readers)
        for found in (*stock, *ours):
            for points in found[0].values():
                for point in points.values():  # a delta's extremes are a matter of their own, see below
                    point.pop("min", None), point.pop("max", None)
        assert stock == ours

    def test_a_delta_histogram_does_not_invent_extremes(self) -> None:
        def values(*recorded: float) -> Script:
            def script(meter: Meter) -> None:
                for value in recorded:
                    meter.create_histogram("h").record(value, {"a": "x"})

            return script

        stock, ours = both(values(5, 9), values(1, 7), values(6, 20), values(), readers=self.readers)
        extremes = [
            (point["min"], point["max"])
            for (delta, _) in ours
            for points in delta.values()
            for point in points.values()
        ]
        assert extremes == [(5, 9), (1, None), (None, 20)]
        for found in (*stock, *ours):
            for points in found[0].values():
                for point in points.values():
                    del point["min"], point["max"]
        assert stock == ours

    def test_starts(self) -> None:
        store = MemoryStore()
        delta, cumulative = self.readers()
        provider = StoreMeterProvider([delta, cumulative], store=store, shutdown_on_exit=False)
        instrument = provider.get_meter("scope").create_counter("c")

        def span(reader: InMemoryMetricReader) -> tuple[int, int]:
            instrument.add(1)
            data = reader.get_metrics_data()
            assert data is not None
            point = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0]
            return point.start_time_unix_nano, point.time_unix_nano

        start = int(store.read().start_time * 1e9)
        first, second = span(delta), span(delta)
        assert (start, first[1]) == (first[0], second[0])
        assert start == span(cumulative)[0] == span(cumulative)[0]


class TestViews:
    VIEWS = {
        "rename": [View(instrument_name="requests", name="renamed", description="New help")],
        "filter": [View(instrument_name="*", attribute_keys={"a"})],
        "filter all": [View(instrument_name="*", attribute_keys=set())],
        "boundaries": [View(instrument_name="duration", aggregation=ExplicitBucketHistogramAggregation([1, 2, 5]))],
        "no extremes": [
            View(instrument_name="d*", aggregation=ExplicitBucketHistogramAggregation([1], record_min_max=False))
        ],
        "drop": [View(instrument_name="*", aggregation=DropAggregation()), View(instrument_name="active")],
        "two": [
            View(instrument_name="requests", name="one", attribute_keys={"a"}),
            View(instrument_name="requests", name="two", attribute_keys={"b"}),
        ],
        "type": [View(instrument_type=Counter, name=None, attribute_keys={"b"})],
        "meter": [View(meter_name="other", attribute_keys=set()), View(meter_version="1.0", description="by version")],
        "unit": [View(instrument_unit="ms", attribute_keys=set())],
        "histogram of a counter": [View(instrument_name="requests", aggregation=ExplicitBucketHistogramAggregation())],
        "histogram of an up-down": [View(instrument_name="active", aggregation=ExplicitBucketHistogramAggregation())],
        "sum of a histogram": [View(instrument_name="duration", aggregation=SumAggregation())],
        "last of a counter": [View(instrument_name="requests", aggregation=LastValueAggregation())],
        "last of a histogram": [View(instrument_name="duration", aggregation=LastValueAggregation())],
        "sum of a gauge": [View(instrument_name="temperature", aggregation=SumAggregation())],
        "sum of an observable gauge": [View(instrument_name="load", aggregation=SumAggregation())],
        "refused": [View(instrument_name="seen", aggregation=ExplicitBucketHistogramAggregation())],
    }

    @pytest.mark.parametrize("views", VIEWS.values(), ids=VIEWS)
    def test_view(self, views: list[View]) -> None:
        stock, ours = both(everything, views=views)
        assert stock != both(everything)[0] or views is self.VIEWS["refused"], "the view changes nothing"
        assert without_filtered(stock) == without_filtered(ours)

    def test_two_views_without_a_name(self) -> None:
        views = [View(instrument_name="c", attribute_keys={key}) for key in ("a", "b")]

        def points(provider: StockProvider, reader: InMemoryMetricReader) -> list[Any]:
            counter = provider.get_meter("scope").create_counter("c")
            counter.add(1, {"a": "x", "b": "y"})
            counter.add(2, {"a": "x", "b": "z"})
            data = reader.get_metrics_data()
            assert data is not None
            metrics: Any = data.resource_metrics[0].scope_metrics[0].metrics
            return [[(point.attributes, point.value) for point in metric.data.data_points] for metric in metrics]

        reader, other = InMemoryMetricReader(), InMemoryMetricReader()
        stock = StockProvider([reader], views=views, shutdown_on_exit=False)
        ours = StoreMeterProvider([other], store=MemoryStore(), views=views, shutdown_on_exit=False)
        assert points(stock, reader) == points(ours, other)

    def test_a_view_that_cannot_work_spoils_nothing_else(self, caplog: pytest.LogCaptureFixture) -> None:
        views = [View(instrument_name="bad", aggregation=ExplicitBucketHistogramAggregation([3, 1]))]
        reader = InMemoryMetricReader()
        provider = StoreMeterProvider([reader], store=MemoryStore(), views=views, shutdown_on_exit=False)
        meter = provider.get_meter("scope")
        for _ in range(3):
            meter.create_histogram("bad").record(1)
            meter.create_counter("good").add(1)
        ((name, *_),) = [name[1] for name in plain(reader.get_metrics_data())]
        assert name == "good"
        assert len([record for record in caplog.records if record.name == "telemetry"]) == 1

    def test_a_measurement_that_fails_is_counted_and_logged_once(self, caplog: pytest.LogCaptureFixture) -> None:
        class Unhashable(str):
            __slots__ = ()

            def __hash__(self) -> int:
                raise RuntimeError("no")

        store = MemoryStore()
        counter = StoreMeterProvider([], store=store, shutdown_on_exit=False).get_meter("scope").create_counter("c")
        for _ in range(3):
            counter.add(1, {"a": Unhashable("x")})
        assert store.read().tables[DROPPED.name].series() == {("sdk",): [3.0]}
        assert len([record for record in caplog.records if record.name == "telemetry"]) == 1


class TestReaders:
    def test_readers_that_disagree_get_what_each_asks_for(self) -> None:
        def readers() -> list[InMemoryMetricReader]:
            coarse: dict[type, Any] = {Histogram: ExplicitBucketHistogramAggregation([1, 100])}
            return [
                InMemoryMetricReader(),
                InMemoryMetricReader(preferred_aggregation=coarse),
                InMemoryMetricReader(preferred_aggregation={Histogram: SumAggregation(), Counter: DropAggregation()}),
                InMemoryMetricReader(preferred_aggregation=coarse),
            ]

        def script(meter: Meter) -> None:
            for part in (*SYNCHRONOUS, observable_counter, observable_up_down, observable_gauge):
                part(meter)

        stock, ours = both(script, lambda meter: None, readers=readers)
        assert stock == ours
        assert ours[0][1] == ours[0][3] != ours[0][0]

    def test_a_reader_added_later_sees_everything_so_far(self) -> None:
        provider = StoreMeterProvider(store=MemoryStore(), shutdown_on_exit=False)
        everything(provider.get_meter("scope", "1.0", "https://schema.example"))
        reader = InMemoryMetricReader()
        provider.add_metric_reader(reader)
        assert both(everything)[0] == [[plain(reader.get_metrics_data())]]

    def test_a_reader_added_later_with_its_own_aggregation_gets_what_comes(self) -> None:
        provider = StoreMeterProvider(store=MemoryStore(), shutdown_on_exit=False)
        histogram = provider.get_meter("scope").create_histogram("h")
        histogram.record(5)
        preferred: dict[type, Any] = {Histogram: SumAggregation()}
        reader = InMemoryMetricReader(preferred_aggregation=preferred)
        provider.add_metric_reader(reader)
        histogram.record(7)
        ((points),) = plain(reader.get_metrics_data()).values()
        assert points == {(): {"value": 7}}

    def test_a_removed_reader_gets_nothing(self) -> None:
        reader = InMemoryMetricReader()
        provider = StoreMeterProvider([reader], store=MemoryStore(), shutdown_on_exit=False)
        provider.get_meter("scope").create_counter("c").add(1)
        provider.remove_metric_reader(reader)
        assert reader.get_metrics_data() is None

    def test_the_sdks_own_instruments_are_in_the_store(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
        store, reader = MemoryStore(), InMemoryMetricReader()
        StoreMeterProvider([reader], store=store, shutdown_on_exit=False)
        reader.collect()
        assert [name for name in store.read().tables if "otel.sdk.metric_reader.collection.duration" in name]


class TestExemplars:
    @pytest.mark.parametrize("chosen", [None, AlwaysOnExemplarFilter(), AlwaysOffExemplarFilter()], ids=str)
    def test_histogram(self, chosen: Any) -> None:
        tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
        spans = [tracer.start_span(f"span {index}") for index in range(3)]

        def script(meter: Meter) -> None:
            instrument = meter.create_histogram("duration")
            for index, value in enumerate(VALUES):
                with trace.use_span(spans[index % 3]):
                    instrument.record(value, {"a": "x"})
                    instrument.record(value)
            # In a bucket of its own: the stock reservoir keeps the span of a bucket's earlier measurement.
            instrument.record(3000, {"a": "x"})

        stock, ours = both(script, lambda meter: None, script, exemplar_filter=chosen)
        assert stock == ours
        some = any(point["exemplars"] for points in ours[0][0].values() for point in points.values())
        assert some is not isinstance(chosen, AlwaysOffExemplarFilter)


class TestResource:
    def test_one_instance_for_all_processes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test,process.pid=7")
        store, reader = MemoryStore(), InMemoryMetricReader()
        provider = StoreMeterProvider([reader], store=store, shutdown_on_exit=False)
        provider.get_meter("scope").create_counter("c").add(1)
        data = reader.get_metrics_data()
        assert data is not None
        attributes = data.resource_metrics[0].resource.attributes
        assert attributes["service.instance.id"] == store.read().instance_id
        assert attributes["deployment.environment"] == "test"
        assert "process.pid" not in attributes

    def test_an_instance_id_of_the_users_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=mine")
        reader = InMemoryMetricReader()
        provider = StoreMeterProvider([reader], store=MemoryStore(), shutdown_on_exit=False)
        provider.get_meter("scope").create_counter("c").add(1)
        data = reader.get_metrics_data()
        assert data is not None
        assert data.resource_metrics[0].resource.attributes["service.instance.id"] == "mine"


def without_filtered(found: list[list[Any]]) -> list[list[Any]]:
    """Exemplars of the store do not keep the attributes that a View took away."""
    for readers in found:
        for metrics in readers:
            for points in metrics.values():
                for point in points.values():
                    point.pop("exemplars", None)
    return found


def test_the_comparison_can_fail() -> None:
    """Two scripts that differ in one measurement do not compare equal."""
    reader, other = InMemoryMetricReader(), InMemoryMetricReader()
    stock = StockProvider([reader], shutdown_on_exit=False)
    ours = StoreMeterProvider([other], store=MemoryStore(), shutdown_on_exit=False)
    stock.get_meter("scope").create_counter("c").add(1)
    ours.get_meter("scope").create_counter("c").add(2)
    assert plain(reader.get_metrics_data()) != plain(other.get_metrics_data())
