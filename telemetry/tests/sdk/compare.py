"""The same script through the stock SDK and through the store, made comparable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData

from telemetry.sdk.provider import StoreMeterProvider
from telemetry.store.memory import MemoryStore

Script = Callable[[Meter], object]


def plain(data: MetricsData | None) -> dict[tuple[Any, ...], dict[Any, Any]]:
    """Every metric's description and points; times are left out, exemplars reduced to what the store keeps."""
    found: dict[tuple[Any, ...], dict[Any, Any]] = {}
    for resource in data.resource_metrics if data else ():
        for scoped in resource.scope_metrics:
            for metric in scoped.metrics:
                body = metric.data
                name = (
                    (scoped.scope.name, scoped.scope.version, scoped.scope.schema_url, scoped.schema_url),
                    (metric.name, metric.description, metric.unit),
                    type(body).__name__,
                    getattr(body, "aggregation_temporality", None),
                    getattr(body, "is_monotonic", None),
                )
                assert name not in found, f"two metrics are {name}"
                points = found[name] = {}
                for point in body.data_points:
                    key = typed(point.attributes)
                    assert key not in points, f"two points of {name} are {key}"
                    points[key] = values(point)
    return found


def typed(value: Any) -> Any:
    """`value` with its type, so that True, 1 and 1.0 differ."""
    if hasattr(value, "items"):
        return tuple(sorted((name, typed(item)) for name, item in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(map(typed, value))
    return type(value).__name__, str(value)


_SAID = ("value", "count", "sum", "bucket_counts", "explicit_bounds", "min", "max")
_SAID_TOO = ("scale", "zero_count", "positive", "negative")


def values(point: Any) -> dict[str, Any]:
    """What a point says, but for its times."""
    said = {name: getattr(point, name) for name in _SAID + _SAID_TOO if hasattr(point, name)}
    if hasattr(point, "bucket_counts"):
        said["exemplars"] = [
            (item.value, item.trace_id, item.span_id, item.filtered_attributes) for item in point.exemplars
        ]
    return said


def collected(
    provider: MeterProvider, readers: Sequence[InMemoryMetricReader], scripts: Sequence[Script]
) -> list[list[Any]]:
    """What each reader gets after each of the scripts."""
    found = []
    meter = provider.get_meter("scope", "1.0", "https://schema.example")
    for script in scripts:
        script(meter)
        found.append([plain(reader.get_metrics_data()) for reader in readers])
    return found


def both(
    *scripts: Script,
    readers: Callable[[], list[InMemoryMetricReader]] = lambda: [InMemoryMetricReader()],
    **options: Any,
) -> tuple[list[list[Any]], list[list[Any]]]:
    """What stock readers get after each script, and what readers of the store get."""
    stock_readers, our_readers = readers(), readers()
    stock = MeterProvider(stock_readers, shutdown_on_exit=False, **options)
    ours = StoreMeterProvider(our_readers, shutdown_on_exit=False, store=MemoryStore(), **options)
    return collected(stock, stock_readers, scripts), collected(ours, our_readers, scripts)
