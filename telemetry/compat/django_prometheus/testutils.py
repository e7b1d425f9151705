"""Assertions on metrics for test cases, with the call shapes of django-prometheus 2.5.0.

Without a `registry` they read what is on the page and in prometheus_client's own registry, of all processes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable

from prometheus_client import REGISTRY, CollectorRegistry, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

_Registry = CollectorRegistry | Collector
_Labels = dict[str, str]
_Vector = list[tuple[_Labels, float]]


def assert_metric_equal(
    expected_value: float | None, metric_name: str, registry: _Registry = REGISTRY, **labels: str
) -> None:
    """The sample with exactly these labels has this value; None: there is none."""
    value = get_metric(metric_name, registry=registry, **labels)
    if expected_value != value:
        raise AssertionError(_is_not("expected", expected_value, value, metric_name, labels, registry))


def assert_metric_not_equal(
    expected_value: float | None, metric_name: str, registry: _Registry = REGISTRY, **labels: str
) -> None:
    """The sample with exactly these labels has another value, or there is none."""
    value = get_metric(metric_name, registry=registry, **labels)
    if expected_value == value:
        raise AssertionError(_is_not("expected not", expected_value, value, metric_name, labels, registry))


def assert_metric_diff(
    frozen_registry: Iterable[Metric],
    expected_diff: float,
    metric_name: str,
    registry: _Registry = REGISTRY,
    **labels: str,
) -> None:
    """The sample has risen by this much since `save_registry()`; where it did not exist it was 0."""
    before, after = _both(frozen_registry, metric_name, registry, labels)
    diff = after - (before or 0.0)
    if expected_diff != diff:
        raise AssertionError(_changed(metric_name, labels, f"by {diff}, expected {expected_diff}", before, after))


def assert_metric_no_diff(
    frozen_registry: Iterable[Metric],
    expected_diff: float,
    metric_name: str,
    registry: _Registry = REGISTRY,
    **labels: str,
) -> None:
    """The sample has not risen by this much since `save_registry()`."""
    before, after = _both(frozen_registry, metric_name, registry, labels)
    diff = after - (before or 0.0)
    if expected_diff == diff:
        raise AssertionError(_changed(metric_name, labels, f"by {diff}, which it must not", before, after))


def assert_metric_compare(
    frozen_registry: Iterable[Metric],
    predicate: Callable[[float | None, float], bool],
    metric_name: str,
    registry: _Registry = REGISTRY,
    **labels: str,
) -> None:
    """`predicate(before, after)` is True for the sample since `save_registry()`."""
    before, after = _both(frozen_registry, metric_name, registry, labels)
    if predicate(before, after) is not True:
        raise AssertionError(_changed(metric_name, labels, "against the predicate", before, after))


def save_registry(registry: _Registry = REGISTRY) -> list[Metric]:
    """All samples as they are now, for the assertions on differences."""
    return copy.deepcopy(list(registry.collect()))


def get_metric(metric_name: str, registry: _Registry = REGISTRY, **labels: str) -> float | None:
    """The value of the sample of this name with exactly these labels; None if there is none."""
    return get_metric_from_frozen_registry(metric_name, registry.collect(), **labels)


def get_metrics_vector(metric_name: str, registry: _Registry = REGISTRY) -> _Vector:
    """The labels and the value of every sample of this name."""
    return get_metric_vector_from_frozen_registry(metric_name, registry.collect())


def get_metric_vector_from_frozen_registry(metric_name: str, frozen_registry: Iterable[Metric]) -> _Vector:
    """As `get_metrics_vector`, of what `save_registry()` gave."""
    samples = (sample for metric in frozen_registry for sample in metric.samples)
    return [(_as_printed(sample.labels), sample.value) for sample in samples if sample.name == metric_name]


def get_metric_from_frozen_registry(metric_name: str, frozen_registry: Iterable[Metric], **labels: str) -> float | None:
    """As `get_metric`, of what `save_registry()` gave."""
    vector = get_metric_vector_from_frozen_registry(metric_name, frozen_registry)
    return next((value for found, value in vector if found == labels), None)


def format_labels(labels: _Labels) -> str:
    """`{method="GET",port="80"}`."""
    pairs = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{{{pairs}}}"


def format_vector(vector: _Vector) -> str:
    """A line `{labels} = value` for each sample."""
    return "\n".join(f"{format_labels(labels)} = {value}" for labels, value in vector)


def _as_printed(labels: _Labels) -> _Labels:
    """With `le` as prometheus_client writes it; OpenTelemetry's exporter has `1048576.0` for `1.048576e+06`."""
    return {**labels, "le": str(floatToGoString(labels["le"]))} if "le" in labels else labels  # type: ignore[no-untyped-call]


def _both(
    frozen_registry: Iterable[Metric], metric_name: str, registry: _Registry, labels: _Labels
) -> tuple[float | None, float]:
    before = get_metric_from_frozen_registry(metric_name, frozen_registry, **labels)
    after = get_metric(metric_name, registry=registry, **labels)
    if after is None:
        raise AssertionError(_changed(metric_name, labels, "to None", before, after))
    return before, after


def _is_not(
    word: str, expected: float | None, value: float | None, name: str, labels: _Labels, registry: _Registry
) -> str:
    vector = format_vector(get_metrics_vector(name, registry=registry))
    return f"{name}{format_labels(labels)} = {value}, {word} {expected}.\nThe values for {name} are:\n{vector}"


def _changed(name: str, labels: _Labels, how: str, before: float | None, after: float | None) -> str:
    return f"{name}{format_labels(labels)} changed {how}.\nValue before: {before}\nValue after: {after}"
