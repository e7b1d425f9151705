"""The SDK's streams as families of `/metrics`, named and labelled as the stock Prometheus exporter does.

The yardstick is `PrometheusMetricReader(scope_info_enabled=False)`. Where it would show what Prometheus
rejects, the families here are valid: one family a name, one sample a label set.

https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from operator import add

from telemetry.samples import Exemplar, FamilySamples, HistogramValue, Key, Labels, Reading
from telemetry.sdk._private import map_unit, sanitize_attribute, sanitize_full_name
from telemetry.sdk.flows import Flow
from telemetry.sdk.keys import JSON, attributes_of
from telemetry.sdk.provider import consumer_of
from telemetry.sdk.streams import Shape
from telemetry.spec import Family, FamilyType

_TOTAL = "_total"


def families(provider: object, reading: Reading, declared: Mapping[str, Family] | None = None) -> list[FamilySamples]:
    """The families of every instrument of all processes, and of this one also those without data.

    Args:
        provider: a `StoreMeterProvider` or an adopted one. Publish it before `reading` is read.
        reading: what the store gave.
        declared: families by the name of their instrument (default: those that the provider was given).
            A label-less counter among them is shown as 0 before its first measurement.

    Raises:
        ConfigurationError: `provider` does not record into a store.
    """
    found: dict[tuple[str, FamilyType, tuple[float, ...]], list[Flow]] = {}
    for flow in consumer_of(provider).flows(reading, declared=declared):
        if flow.shape is not Shape.EXPONENTIAL:  # the text formats cannot show them
            found.setdefault((_name(flow), _type(flow), flow.edges), []).append(flow)
    return [_family(name, type_, flows, reading.start_time) for (name, type_, _), flows in found.items()]


def _type(flow: Flow) -> FamilyType:
    if flow.shape is Shape.HISTOGRAM:
        return FamilyType.HISTOGRAM
    return FamilyType.COUNTER if flow.shape is Shape.SUM and flow.monotonic else FamilyType.GAUGE


def _name(flow: Flow) -> str:
    """The name on the TYPE line: a unit is appended where the name lacks it, `_total` to counters."""
    name = sanitize_full_name(flow.name)
    counter = _type(flow) is FamilyType.COUNTER
    if counter:
        name = name.removesuffix(_TOTAL)
    unit = map_unit(flow.unit)
    if unit and not name.endswith(f"_{unit}"):
        name = f"{name}_{unit}"
    return name + _TOTAL if counter else name


def _family(name: str, type_: FamilyType, flows: list[Flow], created: float) -> FamilySamples:
    first = flows[0]
    rows: dict[Labels, float | HistogramValue] = {}
    for flow in flows:
        for key, cells in flow.series.items():
            labels = _labels(key, type_)
            value = _value(flow, key, cells)
            before = rows.get(labels)
            rows[labels] = value if before is None or flow.shape is Shape.GAUGE else _sum(before, value)
    shapes = {tuple([label for label, _ in labels]) for labels in rows}
    names = tuple(sorted({label for shape in shapes for label in shape}))
    if len(shapes) > 1:
        # The stock exporter writes every label on every sample, empty where a series lacks it.
        rows = {tuple((label, dict(labels).get(label, "")) for label in names): rows[labels] for labels in rows}
    return FamilySamples(
        Family(
            name=name,
            type=type_,
            help=first.description,
            labels=names,
            buckets=first.edges,
            unit=map_unit(first.unit),
        ),
        list(rows.items()),
        created=None if type_ is FamilyType.GAUGE else created,
    )


@lru_cache(maxsize=20_000)
def _labels(key: Key, type_: FamilyType) -> Labels:
    labels = {}
    for part in key:
        name, value = part[0], part[1]  # type: ignore[index]
        if len(part) == 3 and part[2] == JSON:  # type: ignore[arg-type, index]
            value = json.dumps(attributes_of((part,))[name], default=str)
        label = sanitize_attribute(name)
        if label == "le" and type_ is FamilyType.HISTOGRAM:
            label = "exported_le"  # as Prometheus itself renames a label that is taken
        labels[label] = value
    # To Prometheus an empty label is an absent one.
    return tuple(sorted((label, value) for label, value in labels.items() if value))


def _value(flow: Flow, key: Key, cells: list[float]) -> float | HistogramValue:
    if flow.shape is not Shape.HISTOGRAM:
        return cells[0]
    size = len(flow.edges) + 1
    exemplars: Mapping[int, Exemplar] = flow.exemplars.get(key, {})
    return HistogramValue(cells[:size], cells[size], exemplars)


def _sum(one: float | HistogramValue, other: float | HistogramValue) -> float | HistogramValue:
    if isinstance(one, HistogramValue) and isinstance(other, HistogramValue):
        counts = list(map(add, one.counts, other.counts))
        return HistogramValue(counts, one.sum + other.sum, {**one.exemplars, **other.exemplars})
    return float(one) + float(other)  # type: ignore[arg-type]
