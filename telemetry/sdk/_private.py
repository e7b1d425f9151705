"""The private names of the OpenTelemetry SDK that this package touches: nowhere else, but for the
provider's property that puts our consumer in the place of the SDK's.

Written against opentelemetry-sdk 1.45; `telemetry/tests/sdk/test_contract.py` names each and fails when
one moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.exporter.prometheus._mapping import map_unit, sanitize_attribute, sanitize_full_name
from opentelemetry.metrics import CallbackOptions, Instrument
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics._internal.aggregation import (
    Aggregation,
    _DropAggregation,
    _ExplicitBucketHistogramAggregation,
    _ExponentialBucketHistogramAggregation,
    _LastValueAggregation,
    _SumAggregation,
)
from opentelemetry.sdk.metrics._internal.instrument import (
    _Counter,
    _Gauge,
    _Histogram,
    _ObservableCounter,
    _ObservableGauge,
    _ObservableUpDownCounter,
    _UpDownCounter,
)
from opentelemetry.sdk.metrics._internal.measurement import Measurement
from opentelemetry.sdk.metrics._internal.measurement_consumer import MeasurementConsumer
from opentelemetry.sdk.metrics._internal.metric_reader_storage import MetricReaderStorage
from opentelemetry.sdk.metrics._internal.sdk_configuration import SdkConfiguration
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import DefaultAggregation
from opentelemetry.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    ReadableSpan,
    SpanProcessor,
    SynchronousMultiSpanProcessor,
    TracerProvider,
)
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

__all__ = [
    "INSTRUMENTS",
    "Aggregation",
    "Match",
    "Measurement",
    "MeasurementConsumer",
    "Resolver",
    "SdkConfiguration",
    "adopt_consumer",
    "advisory_of",
    "ask",
    "attributes_of",
    "end_batches",
    "exporter_of",
    "inner_collector",
    "instruments_of",
    "make_instrument",
    "make_room",
    "map_unit",
    "prepare_grpc",
    "processors_in",
    "processors_of",
    "sanitize_attribute",
    "sanitize_full_name",
    "set_exporter",
    "spans_waiting",
    "temporality_of",
]

INSTRUMENTS: dict[str, Any] = {
    "Counter": _Counter,
    "UpDownCounter": _UpDownCounter,
    "Histogram": _Histogram,
    "Gauge": _Gauge,
    "ObservableCounter": _ObservableCounter,
    "ObservableUpDownCounter": _ObservableUpDownCounter,
    "ObservableGauge": _ObservableGauge,
}
"""The SDK's instrument classes by the name of their kind."""


@dataclass(frozen=True, slots=True)
class Match:
    """One View applied to one instrument: what the SDK would aggregate, and how.

    `aggregation` is "sum", "last", "explicit", "exponential" or "drop"; `keys` are the attributes
    kept, None for all; `view_name` is None where the View does not rename.
    """

    name: str
    description: str
    view_name: str | None
    keys: frozenset[str] | None
    aggregation: str
    edges: tuple[float, ...] = ()
    min_max: bool = False
    max_size: int = 0
    max_scale: int = 0


class Resolver:
    """Applies the SDK's own View matching and aggregation defaults for readers that agree on the latter."""

    def __init__(self, config: SdkConfiguration, reader: MetricReader | None = None) -> None:
        if reader is None:
            aggregations: Any = {cls: DefaultAggregation() for cls in INSTRUMENTS.values()}
        else:
            aggregations = reader._instrument_class_aggregation
        self.signature = _signature(aggregations)
        self._storage = MetricReaderStorage(config, {}, aggregations)

    @staticmethod
    def signature_of(reader: MetricReader) -> object:
        """Equal for two readers that aggregate every kind of instrument alike."""
        return _signature(reader._instrument_class_aggregation)

    def matches(self, instrument: Instrument) -> Iterator[Match]:
        """What the SDK makes of this instrument, one match for each View that applies."""
        for match in self._storage._get_or_init_view_instrument_match(instrument):  # type: ignore[arg-type]
            keys = match._view._attribute_keys
            yield Match(
                name=match._name,
                description=match._description,
                view_name=match._view._name,
                keys=None if keys is None else frozenset(keys),
                **_aggregation(match._aggregation),
            )


def _signature(aggregations: Mapping[Any, Aggregation]) -> object:
    return tuple(
        (cls.__name__, type(aggregation).__name__, repr(sorted(vars(aggregation).items())))
        for cls, aggregation in sorted(aggregations.items(), key=lambda item: item[0].__name__)
    )


def _aggregation(aggregation: Any) -> dict[str, Any]:
    if isinstance(aggregation, _SumAggregation):
        return {"aggregation": "sum"}
    if isinstance(aggregation, _LastValueAggregation):
        return {"aggregation": "last"}
    if isinstance(aggregation, _ExplicitBucketHistogramAggregation):
        edges = tuple(map(float, aggregation._boundaries))
        return {"aggregation": "explicit", "edges": edges, "min_max": aggregation._record_min_max}
    if isinstance(aggregation, _ExponentialBucketHistogramAggregation):
        return {
            "aggregation": "exponential",
            "min_max": aggregation._record_min_max,
            "max_size": aggregation._max_size,
            "max_scale": aggregation._max_scale,
        }
    if isinstance(aggregation, _DropAggregation):
        return {"aggregation": "drop"}
    raise TypeError(
        f"aggregation {aggregation!r} is not one of the SDK's own; valid: sum, last value, histograms, drop"
    )


def make_instrument(
    kind: str,
    name: str,
    scope: InstrumentationScope,
    consumer: MeasurementConsumer,
    unit: str,
    description: str,
    advisory: tuple[float, ...] | None,
) -> Instrument:
    """An instrument outside any meter: the stand-in for one that only another process has created."""
    more = {"explicit_bucket_boundaries_advisory": advisory} if kind == "Histogram" else {}
    made: Instrument = INSTRUMENTS[kind](name, scope, consumer, unit=unit, description=description, **more)
    return made


def advisory_of(instrument: Instrument) -> tuple[float, ...] | None:
    """The bucket boundaries that the instrument's creator advised, if any."""
    advisory = getattr(instrument, "_advisory", None)
    boundaries = None if advisory is None else advisory.explicit_bucket_boundaries
    return None if boundaries is None else tuple(map(float, boundaries))


def ask(instrument: Any, options: CallbackOptions) -> Iterable[Measurement]:
    """Run the callbacks of an observable instrument; the SDK logs those that raise."""
    answer: Iterable[Measurement] = instrument.callback(options)
    return answer


def temporality_of(reader: MetricReader, kind: str) -> AggregationTemporality:
    """What this reader wants for this kind of instrument."""
    return reader._instrument_class_temporality[INSTRUMENTS[kind]]


def instruments_of(provider: MeterProvider) -> list[Instrument]:
    """Every instrument that this provider's meters have created."""
    with provider._meter_lock:
        meters = list(provider._meters.values())
    found: list[Instrument] = []
    for meter in meters:
        with meter._instrument_registration_lock:
            found += meter._instrument_id_instrument.values()
    return found


def adopt_consumer(provider: Any, consumer: Any) -> None:
    """Put `consumer` in the place of the provider's own, for its meters, instruments and readers too."""
    old = provider._measurement_consumer
    with provider._meter_lock:
        provider._measurement_consumer = consumer
        meters = list(provider._meters.values())
    for meter in meters:
        with meter._instrument_registration_lock:
            meter._measurement_consumer = consumer
            instruments = list(meter._instrument_id_instrument.values())
        for instrument in instruments:
            instrument._measurement_consumer = consumer
    for instrument in old._async_instruments:
        consumer.register_asynchronous_instrument(instrument)
    for reader in old._reader_storages:
        consumer.add_metric_reader(reader)
        reader._set_collect_callback(consumer.collect)


def exporter_of(reader: PeriodicExportingMetricReader) -> MetricExporter:
    """Where a periodic reader sends what it collects."""
    return reader._exporter


def spans_waiting(processor: BatchSpanProcessor) -> int:
    """How many spans wait for their export."""
    return len(processor._batch_processor._queue)


def make_room(processor: BatchSpanProcessor) -> bool:
    """Drop the oldest span that waits if there is no room for one more; whether one was dropped.

    The processor would do so itself, but in a way that cannot be counted exactly.
    """
    batch = processor._batch_processor
    try:
        if len(batch._queue) >= batch._max_queue_size:
            batch._queue.pop()
            return True
    except IndexError:  # all were taken meanwhile
        pass
    return False


def end_batches(processor: BatchSpanProcessor, seconds: float) -> None:
    """Export what waits, for so long at most: the processor's own shutdown waits for 30 seconds."""
    processor._batch_processor.shutdown(timeout_millis=int(seconds * 1000))


def prepare_grpc() -> None:
    """Import the part of what the gRPC exporter imports that asks a pool of threads.

    At a process's end, which is when a short one first exports, there are no such pools any more.
    """
    import_module("opentelemetry.sdk._logs")


def processors_of(provider: TracerProvider) -> list[SpanProcessor]:
    """Every span processor that has been added to this provider."""
    return processors_in(provider._active_span_processor)


def processors_in(processor: SpanProcessor) -> list[SpanProcessor]:
    """This processor, or those that it is made of."""
    if isinstance(processor, (SynchronousMultiSpanProcessor, ConcurrentMultiSpanProcessor)):
        return [each for part in processor._span_processors for each in processors_in(part)]
    return [processor]


def set_exporter(processor: BatchSpanProcessor | SimpleSpanProcessor, exporter: SpanExporter) -> None:
    """Have a processor export to another exporter from now on."""
    if isinstance(processor, BatchSpanProcessor):
        processor._batch_processor._exporter = exporter
    else:
        processor.span_exporter = exporter


def attributes_of(span: ReadableSpan) -> int:
    """Which object has a span's attributes: two spans may share it. 0 where the span is not of the SDK's own class."""
    return id(span._attributes) if type(span) is ReadableSpan else 0


def inner_collector(reader: PrometheusMetricReader) -> Any:
    """The stock exporter's collector, which is not safe under concurrent scrapes."""
    return reader._collector
