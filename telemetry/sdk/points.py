"""What all processes recorded, as the data points that any of the SDK's readers takes.

https://opentelemetry.io/docs/specs/otel/metrics/data-model/
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import time_ns
from typing import Any

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    DataT,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricReader,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, OTELResourceDetector, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from telemetry.samples import Key, Reading
from telemetry.sdk._fork import ForkLock
from telemetry.sdk._private import temporality_of
from telemetry.sdk.exponential import buckets_of
from telemetry.sdk.flows import Flow
from telemetry.sdk.keys import attributes_of
from telemetry.sdk.streams import Shape

_DELTA = AggregationTemporality.DELTA


@dataclass(slots=True)
class Baseline:
    """What one reader has been given so far: its deltas begin here. `time` is in Unix nanoseconds."""

    lock: ForkLock = field(default_factory=ForkLock)
    of: tuple[int, str] | None = None
    time: int = 0
    cells: dict[str, dict[Key, list[float]]] = field(default_factory=dict)

    def snapshot(self) -> Baseline:
        """What `restore` goes back to where the reader's receiver did not get the points."""
        with self.lock:
            return Baseline(self.lock, self.of, self.time, {id_: dict(series) for id_, series in self.cells.items()})

    def restore(self, earlier: Baseline) -> None:
        """Be as `earlier`, which is not to be used any more."""
        with self.lock:
            self.of, self.time, self.cells = earlier.of, earlier.time, earlier.cells

    def dump(self) -> bytes:
        """As JSON, for a process that goes on from here."""
        with self.lock:
            cells = {id_: list(series.items()) for id_, series in self.cells.items()}
            return json.dumps([self.of, self.time, cells]).encode()

    def load(self, dumped: bytes) -> None:
        """Go on from what another process dumped.

        Raises:
            ValueError: it did not.
        """
        try:
            of, time, cells = json.loads(dumped)
            found = {id_: {_tuples(key): list(map(float, row)) for key, row in rows} for id_, rows in cells.items()}
            generation, instance = of
            earlier = Baseline(self.lock, (int(generation), str(instance)), int(time), found)
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{dumped[:40]!r}... is not a baseline: {error}") from error
        self.restore(earlier)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def metrics_data(
    flows: Iterable[Flow],
    reading: Reading,
    reader: MetricReader,
    baseline: Baseline,
    resource: Resource,
    *,
    empty: bool = False,
) -> MetricsData | None:
    """The points of `flows` in the temporality that the reader prefers; None where there are none.

    Cumulative points begin with the generation, whichever process gives them; delta points where this
    process gave the reader the last ones. With `empty`, metrics without points are given too.
    """
    start = int(reading.start_time * 1e9)
    now = time_ns()
    metrics: dict[InstrumentationScope, list[Metric]] = {}
    with baseline.lock:
        if baseline.of != (reading.generation, reading.instance_id):
            baseline.of, baseline.time, baseline.cells = (reading.generation, reading.instance_id), 0, {}
        for flow in flows:
            temporality = temporality_of(reader, flow.kind)
            if temporality is _DELTA:
                span = _Span(baseline.time or start, now, baseline.time, baseline.cells.setdefault(flow.id, {}))
            else:
                span = _Span(start, now, baseline.time, None)
            data = _data(flow, temporality, span)
            if data.data_points or empty:
                metric = Metric(name=flow.name, description=flow.description, unit=flow.unit, data=data)
                metrics.setdefault(flow.scope, []).append(metric)
        baseline.time = now
    if not metrics:
        return None
    resource = service_resource(resource, reading)
    return MetricsData(
        [
            ResourceMetrics(
                resource=resource,
                scope_metrics=[
                    ScopeMetrics(scope=scope, metrics=found, schema_url=scope.schema_url or "")
                    for scope, found in metrics.items()
                ],
                schema_url=resource.schema_url,
            )
        ]
    )


def service_resource(resource: Resource, reading: Reading) -> Resource:
    """The resource of all processes: nothing of a single process, one instance id for the generation.

    An instance id from OTEL_RESOURCE_ATTRIBUTES stays; the SDK gives every forked child a new one.
    """
    given = OTELResourceDetector().detect().attributes.get(SERVICE_INSTANCE_ID)
    attributes = {name: value for name, value in resource.attributes.items() if not name.startswith("process.")}
    attributes[SERVICE_INSTANCE_ID] = given or reading.instance_id
    return Resource(attributes, resource.schema_url)


@dataclass(slots=True)
class _Span:
    """The time that points stand for, in Unix nanoseconds, and for deltas what came before.

    `since` is the reader's last collection; exemplars older than that were given then.
    """

    start: int
    end: int
    since: int
    before: dict[Key, list[float]] | None


def _data(flow: Flow, temporality: AggregationTemporality, span: _Span) -> DataT:
    match flow.shape:
        case Shape.SUM:
            return Sum(_sums(flow, span), temporality, flow.monotonic)
        case Shape.GAUGE:
            return Gauge(_gauges(flow, span))
        case Shape.HISTOGRAM:
            return Histogram(_histograms(flow, span), temporality)
        case Shape.EXPONENTIAL:
            return ExponentialHistogram(_exponentials(flow, span), temporality)


def _sums(flow: Flow, span: _Span) -> list[NumberDataPoint]:
    points = []
    series = flow.series
    if span.before and not flow.monotonic:
        # The share of a process that ended is gone: a delta has to take it back.
        series = {**{key: [0.0] for key in span.before}, **series}
    for key, (value,) in series.items():
        if span.before is not None:
            before = span.before.get(key)
            span.before[key] = [value]
            if before is not None and not (flow.monotonic and value < before[0]):
                if value == before[0] and not flow.observable:
                    continue
                value -= before[0]
        points.append(NumberDataPoint(attributes_of(key), span.start, span.end, value))
    return points


def _gauges(flow: Flow, span: _Span) -> list[NumberDataPoint]:
    points = []
    for key, cells in flow.series.items():
        if span.before is not None and not flow.observable:
            if span.before.get(key) == cells:
                continue
            span.before[key] = cells
        points.append(NumberDataPoint(attributes_of(key), None, span.end, cells[0]))  # type: ignore[arg-type]
    return points


@dataclass(slots=True)
class _Bins:
    """One histogram series over a span: bucket counts, sum, extremes (None: not known for this span)."""

    key: Key
    counts: list[int]
    sum: float
    min: float | None = math.inf
    max: float | None = -math.inf


def _bins(flow: Flow, span: _Span) -> Iterable[_Bins]:
    size = len(flow.edges) + 1
    for key, cells in flow.series.items():
        before = None if span.before is None else span.before.get(key)
        if span.before is not None:
            span.before[key] = cells
        if before is not None and any(now < then for now, then in zip(cells[:size], before, strict=False)):
            before = None
        counts = [int(count) for count in cells[:size]]
        total = cells[size]
        low, high = (cells[-2], cells[-1]) if flow.min_max else (math.inf, -math.inf)
        if before is None:
            yield _Bins(key, counts, total, low, high)
            continue
        counts = [count - int(then) for count, then in zip(counts, before, strict=False)]
        if any(counts):
            # The store keeps extremes since the start: those of the span are known only if they are new ones.
            lowest = low if not flow.min_max or low < before[-2] else None
            highest = high if not flow.min_max or high > before[-1] else None
            yield _Bins(key, counts, total - before[size], lowest, highest)


def _histograms(flow: Flow, span: _Span) -> list[HistogramDataPoint]:
    return [
        HistogramDataPoint(
            attributes=(attributes := attributes_of(bins.key)),
            start_time_unix_nano=span.start,
            time_unix_nano=span.end,
            count=sum(bins.counts),
            sum=bins.sum,
            bucket_counts=tuple(bins.counts),
            explicit_bounds=flow.edges,
            min=bins.min,  # type: ignore[arg-type]
            max=bins.max,  # type: ignore[arg-type]
            exemplars=_exemplars(flow, bins.key, span.since, attributes),
        )
        for bins in _bins(flow, span)
    ]


def _exponentials(flow: Flow, span: _Span) -> list[ExponentialHistogramDataPoint]:
    points = []
    for bins in _bins(flow, span):
        scale, zeros, offset, counts = buckets_of(bins.counts, flow.scale, flow.max_size)
        points.append(
            ExponentialHistogramDataPoint(
                attributes=attributes_of(bins.key),
                start_time_unix_nano=span.start,
                time_unix_nano=span.end,
                count=sum(bins.counts),
                sum=bins.sum,
                scale=scale,
                zero_count=zeros,
                positive=Buckets(offset, counts),
                negative=Buckets(0, [0]),
                flags=0,
                min=bins.min,  # type: ignore[arg-type]
                max=bins.max,  # type: ignore[arg-type]
            )
        )
    return points


def _exemplars(flow: Flow, key: Key, since: int, attributes: dict[str, object]) -> list[Exemplar]:
    found = flow.exemplars.get(key)
    if not found:
        return []
    return [
        Exemplar(
            filtered_attributes={} if attributes else None,
            value=exemplar.value,
            time_unix_nano=round(exemplar.time * 1e9),
            span_id=exemplar.span_id or None,
            trace_id=exemplar.trace_id or None,
        )
        for _, exemplar in sorted(found.items())
        if exemplar.time * 1e9 > since
    ]
