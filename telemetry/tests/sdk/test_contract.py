"""The private names of the SDK that `telemetry.sdk` relies on are there and mean what they did.

Each test names what moved when it fails; `telemetry/sdk/_private.py` and the provider's property are the
only places to mend.
"""

from __future__ import annotations

import ast
import inspect
import math
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader, _mapping
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk._shared_internal import BatchProcessor
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics._internal import aggregation, instrument, measurement_consumer, metric_reader_storage
from opentelemetry.sdk.metrics._internal.measurement import Measurement
from opentelemetry.sdk.metrics._internal.sdk_configuration import SdkConfiguration
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ConsoleMetricExporter,
    InMemoryMetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import (
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    LastValueAggregation,
    SumAggregation,
    View,
)
from opentelemetry.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    ReadableSpan,
    SpanProcessor,
    SynchronousMultiSpanProcessor,
    TracerProvider,
)
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

import telemetry.sdk
from telemetry.sdk._private import INSTRUMENTS, attributes_of, make_room, processors_in, set_exporter, spans_waiting


@pytest.fixture
def provider() -> MeterProvider:
    return MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)


class TestProvider:
    def test_attributes(self, provider: Any) -> None:
        assert isinstance(provider._sdk_config, SdkConfiguration)
        assert provider._metric_readers
        assert provider._meters == {}
        with provider._meter_lock:
            pass

    def test_the_constructor_assigns_the_consumer_before_the_readers_get_it(self) -> None:
        seen: list[str] = []

        class Watching(MeterProvider):
            @property
            def _measurement_consumer(self) -> Any:
                return self.consumer

            @_measurement_consumer.setter
            def _measurement_consumer(self, consumer: Any) -> None:
                assert self._sdk_config is not None
                assert self._metric_readers == [reader]
                self.consumer = consumer
                seen.append("consumer")

        class Reader(InMemoryMetricReader):
            def _set_meter_provider(self, meter_provider: Any) -> None:
                seen.append("provider")

        reader = Reader()
        provider = Watching([reader], shutdown_on_exit=False)
        assert seen == ["consumer", "provider"]
        assert reader._collect == provider.consumer.collect

    def test_meters_keep_their_instruments(self, provider: Any) -> None:
        meter = provider.get_meter("scope")
        counter = meter.create_counter("c")
        assert list(provider._meters.values()) == [meter]
        assert list(meter._instrument_id_instrument.values()) == [counter]
        assert meter._measurement_consumer is counter._measurement_consumer is provider._measurement_consumer
        with meter._instrument_registration_lock:
            pass


class TestConsumer:
    def test_abstract_methods(self) -> None:
        names = {"consume_measurement", "register_asynchronous_instrument", "collect"}
        assert measurement_consumer.MeasurementConsumer.__abstractmethods__ == names

    def test_stock_consumer(self, provider: Any) -> None:
        consumer = provider._measurement_consumer
        assert list(consumer._reader_storages) == provider._metric_readers
        gauge = provider.get_meter("scope").create_observable_gauge("g")
        assert consumer._async_instruments == [gauge]

    def test_readers_may_be_added_and_removed(self) -> None:
        for name in ("add_metric_reader", "remove_metric_reader"):
            assert f"_measurement_consumer.{name}(metric_reader)" in inspect.getsource(getattr(MeterProvider, name))


class TestReader:
    def test_preferences(self) -> None:
        reader: Any = InMemoryMetricReader()
        assert set(reader._instrument_class_temporality) == set(reader._instrument_class_aggregation)
        assert set(reader._instrument_class_temporality) == set(INSTRUMENTS.values())
        assert set(reader._instrument_class_temporality.values()) == {AggregationTemporality.CUMULATIVE}

    def test_collect_callback(self) -> None:
        reader, asked = InMemoryMetricReader(), []
        reader._set_collect_callback(lambda *args, **kwargs: asked.append((args, kwargs)))  # type: ignore[arg-type]
        reader.collect()
        assert asked == [((reader,), {"timeout_millis": 10_000})]

    def test_prometheus_collector(self) -> None:
        reader: Any = PrometheusMetricReader(registry=CollectorRegistry())
        assert callable(reader._collector.collect)

    def test_prometheus_names(self) -> None:
        assert _mapping.sanitize_full_name("a.b") == "a_b"
        assert _mapping.sanitize_attribute("a.b") == "a_b"
        assert _mapping.map_unit("s") == "seconds"


class TestExporters:
    def test_a_periodic_reader_keeps_its_exporter(self) -> None:
        exporter = ConsoleMetricExporter()
        reader: Any = PeriodicExportingMetricReader(exporter, export_interval_millis=math.inf)
        assert reader._exporter is exporter

    def test_a_batch_processor_has_a_bounded_queue_and_its_end_a_deadline(self) -> None:
        class Full(BatchProcessor[int]):
            def worker(self) -> None:
                """Takes nothing."""

        processor: Any = BatchSpanProcessor(ConsoleSpanExporter(), max_queue_size=7, max_export_batch_size=7)
        processor._batch_processor.shutdown(timeout_millis=1000)
        batch = processor._batch_processor = Full(processor.span_exporter, 1, 7, 1, 2, "Number", MagicMock())
        for number in range(3):
            assert make_room(processor) is (number == 2)
            batch.emit(number)
        assert (spans_waiting(processor), list(batch._queue)) == (2, [2, 1])


class TestSpanProcessors:
    def test_a_provider_keeps_them_in_one_that_its_tracers_have(self) -> None:
        provider: Any = TracerProvider(shutdown_on_exit=False)
        tracer, added = provider.get_tracer("scope"), SpanProcessor()
        provider.add_span_processor(added)
        assert tracer.span_processor is provider._active_span_processor
        assert (added,) == provider._active_span_processor._span_processors

    def test_several_may_be_one(self) -> None:
        parts = [SpanProcessor(), SpanProcessor(), SpanProcessor()]
        inner, outer = SynchronousMultiSpanProcessor(), ConcurrentMultiSpanProcessor()  # type: ignore[no-untyped-call]
        inner.add_span_processor(parts[1])
        for part in (parts[0], inner, parts[2]):
            outer.add_span_processor(part)
        assert parts == processors_in(outer)

    def test_a_span_that_has_ended_has_its_attributes_in_one_object(self) -> None:
        class Other(ReadableSpan):
            pass

        shared = {"a": 1}
        one, two, three = ReadableSpan("x", attributes=shared), ReadableSpan("y", attributes=shared), ReadableSpan("z")
        assert attributes_of(one) == attributes_of(two) != attributes_of(three)
        assert 0 == attributes_of(Other("x", attributes=shared))

    def test_a_batch_processor_asks_for_its_exporter_at_each_export(self) -> None:
        first, second = InMemorySpanExporter(), InMemorySpanExporter()
        processor = BatchSpanProcessor(first)
        set_exporter(processor, second)
        assert processor.span_exporter is second
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(processor)
        provider.get_tracer("scope").start_span("span").end()
        provider.shutdown()
        assert (0, 1) == tuple(len(exporter.get_finished_spans()) for exporter in (first, second))


class TestInstruments:
    @pytest.mark.parametrize("kind", INSTRUMENTS)
    def test_made_by_a_meter(self, provider: MeterProvider, kind: str) -> None:
        create = {"UpDownCounter": "up_down_counter", "ObservableUpDownCounter": "observable_up_down_counter"}
        name = create.get(kind) or kind.replace("Observable", "observable_").lower()
        made: Any = getattr(provider.get_meter("scope"), f"create_{name}")("Name", unit="u", description="d")
        assert type(made) is INSTRUMENTS[kind]
        assert (made.name, made.unit, made.description) == ("name", "u", "d")
        assert made.instrumentation_scope.name == "scope"
        assert made._measurement_consumer is not None

    @pytest.mark.parametrize("kind", INSTRUMENTS)
    def test_made_without_a_meter(self, kind: str) -> None:
        made = INSTRUMENTS[kind]("name", None, None, unit="u", description="d")
        assert (made.name, made.unit, made.description) == ("name", "u", "d")

    def test_advisory(self, provider: MeterProvider) -> None:
        made: Any = provider.get_meter("scope").create_histogram("h", explicit_bucket_boundaries_advisory=[1, 2])
        assert made._advisory.explicit_bucket_boundaries == [1, 2]

    def test_callback(self, provider: MeterProvider) -> None:
        made: Any = provider.get_meter("scope").create_observable_gauge(
            "g", [lambda options: [Observation(3, {"a": 1})]]
        )
        (measurement,) = made.callback(CallbackOptions())
        assert isinstance(measurement, Measurement)
        assert (measurement.value, measurement.attributes, measurement.instrument) == (3, {"a": 1}, made)
        assert measurement.time_unix_nano > 0
        assert measurement.context is not None


class TestViews:
    def test_match(self, provider: MeterProvider) -> None:
        config = SdkConfiguration(
            exemplar_filter=AlwaysOffExemplarFilter(),
            resource=None,  # type: ignore[arg-type]
            views=[View(instrument_name="h", name="renamed", description="d", attribute_keys={"a"})],
        )
        reader: Any = InMemoryMetricReader()
        storage = metric_reader_storage.MetricReaderStorage(config, {}, reader._instrument_class_aggregation)
        made: Any = provider.get_meter("scope").create_histogram("h")
        (match,) = storage._get_or_init_view_instrument_match(made)
        assert (match._name, match._description) == ("renamed", "d")
        assert (match._view._name, match._view._attribute_keys) == ("renamed", {"a"})
        assert isinstance(match._aggregation, aggregation._ExplicitBucketHistogramAggregation)

    @pytest.mark.parametrize(
        ("view", "private", "attributes"),
        [
            (SumAggregation(), "_SumAggregation", {}),
            (LastValueAggregation(), "_LastValueAggregation", {}),
            (DropAggregation(), "_DropAggregation", {}),
            (
                ExplicitBucketHistogramAggregation([1.0], record_min_max=False),
                "_ExplicitBucketHistogramAggregation",
                {"_boundaries": (1.0,), "_record_min_max": False},
            ),
            (
                ExponentialBucketHistogramAggregation(max_size=7, max_scale=3),
                "_ExponentialBucketHistogramAggregation",
                {"_max_size": 7, "_max_scale": 3, "_record_min_max": True},
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_aggregation(self, provider: MeterProvider, view: Any, private: str, attributes: dict[str, Any]) -> None:
        made: Any = provider.get_meter("scope").create_counter("c")
        created = view._create_aggregation(made, None, lambda cls: lambda **kwargs: None, 0)
        assert type(created) is getattr(aggregation, private)
        assert {name: getattr(created, name) for name in attributes} == attributes
        # Two readers that aggregate alike are told by these: every argument is in them.
        assert set(vars(view)) == {f"_{name}" for name in inspect.signature(type(view).__init__).parameters} & set(
            vars(view)
        )


def test_measurements_are_clean_when_they_arrive() -> None:
    parameters = inspect.signature(Measurement).parameters
    assert list(parameters) == ["value", "time_unix_nano", "instrument", "context", "attributes"]
    assert Measurement(1, 0, None, None, {"a": [1, 2]}).attributes == {"a": (1, 2)}  # type: ignore[arg-type]


def test_instrument_classes() -> None:
    for kind, cls in INSTRUMENTS.items():
        assert cls is getattr(instrument, f"_{kind}")


def test_private_names_are_imported_in_one_module_only() -> None:
    for path in Path(telemetry.sdk.__file__).parent.glob("*.py"):
        if path.name == "_private.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("opentelemetry"):
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
                assert not [name for name in names if name.startswith("_")], f"{path.name}: {names}"
