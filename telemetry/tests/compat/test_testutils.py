"""The assertions of the old name: the same calls on django-prometheus's and on ours, over the same registry."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
from django.test import Client, override_settings

from telemetry import conf
from telemetry.compat.django_prometheus import testutils as ours
from telemetry.tests.instrumentation.conftest import project_settings  # noqa: F401 - for every test here


def _load() -> Any:
    """The module alone: its package registers metrics."""
    package = find_spec("django_prometheus")
    assert package is not None
    (directory,) = package.submodule_search_locations or [""]
    spec = spec_from_file_location("their_testutils", Path(directory) / "testutils.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


theirs = _load()


@pytest.fixture
def registry() -> prometheus_client.CollectorRegistry:
    registry = prometheus_client.CollectorRegistry()
    counter = prometheus_client.Counter("seen", "Seen.", ["colour", "size"], registry=registry)
    counter.labels("red", "1").inc(3)
    counter.labels("blue", "2").inc()
    prometheus_client.Gauge("level", "Level.", registry=registry).set(4.5)
    took = prometheus_client.Histogram("took", "Took.", buckets=(0.01, 1048576), registry=registry)
    took.observe(5)
    return registry


def outcome(call: Callable[[Any], object], package: Any) -> object:
    """What the call gives, or that its assertion failed."""
    try:
        return call(package)
    except AssertionError as error:
        assert str(error)
        return AssertionError


class TestSameCalls:
    def test_all_names_are_there_with_their_arguments(self) -> None:
        for name, function in inspect.getmembers(theirs, inspect.isfunction):
            mine = getattr(ours, name)
            assert [*inspect.signature(function).parameters] == [*inspect.signature(mine).parameters], name

    def test_the_same_outcomes(self, registry: prometheus_client.CollectorRegistry) -> None:
        red = {"colour": "red", "size": "1"}
        calls: list[Callable[[Any], object]] = [
            lambda package: package.get_metric("level", registry=registry),
            lambda package: package.get_metric("seen_total", registry=registry, **red),
            lambda package: package.get_metric("seen_total", registry, colour="red"),
            lambda package: package.get_metric("took_bucket", registry, le="1.048576e+06"),
            lambda package: package.get_metric("took_bucket", registry, le="0.01"),
            lambda package: package.get_metric("took_bucket", registry, le="+Inf"),
            lambda package: package.get_metric("nothing", registry=registry),
            lambda package: package.get_metrics_vector("seen_total", registry=registry),
            lambda package: package.get_metrics_vector("nothing", registry=registry),
            lambda package: package.format_labels({"method": "GET", "port": "80"}),
            lambda package: package.format_labels({}),
            lambda package: package.format_vector([({"a": "1"}, 2.0), ({}, 3)]),
            lambda package: package.assert_metric_equal(3, "seen_total", registry=registry, **red),
            lambda package: package.assert_metric_equal(2, "seen_total", registry=registry, **red),
            lambda package: package.assert_metric_equal(None, "seen_total", registry=registry),
            lambda package: package.assert_metric_not_equal(3, "seen_total", registry=registry, **red),
            lambda package: package.assert_metric_not_equal(2, "seen_total", registry=registry, **red),
        ]
        expected = [outcome(call, theirs) for call in calls]
        assert expected == [outcome(call, ours) for call in calls]
        assert AssertionError in expected

    @pytest.mark.parametrize("diff", [0, 2, 5])
    def test_the_same_differences(self, registry: prometheus_client.CollectorRegistry, diff: int) -> None:
        counter = prometheus_client.Counter("more", "More.", ["kind"], registry=registry)
        counter.labels("old").inc(7)
        frozen = {package: package.save_registry(registry) for package in (theirs, ours)}
        for kind in ("old", "new"):
            counter.labels(kind).inc(2)
        names: list[tuple[str, dict[str, str]]] = [
            ("more_total", {"kind": "old"}), ("more_total", {"kind": "new"}), ("more_total", {"kind": "never"}),
            ("nothing", {}), ("level", {}),
        ]  # fmt: skip

        def calls(package: Any, name: str, labels: dict[str, str]) -> list[Callable[[Any], object]]:
            saved = frozen[package]
            return [
                lambda package: package.assert_metric_diff(saved, diff, name, registry=registry, **labels),
                lambda package: package.assert_metric_no_diff(saved, diff, name, registry=registry, **labels),
                lambda package: package.assert_metric_compare(
                    saved, lambda before, after: after == diff, name, registry, **labels
                ),
                lambda package: package.get_metric_from_frozen_registry(name, saved, **labels),
                lambda package: package.get_metric_vector_from_frozen_registry(name, saved),
            ]

        for name, labels in names:
            expected = [outcome(call, theirs) for call in calls(theirs, name, labels)]
            assert expected == [outcome(call, ours) for call in calls(ours, name, labels)]

    def test_a_failure_says_what_was_found(self, registry: prometheus_client.CollectorRegistry) -> None:
        with pytest.raises(AssertionError) as failure:
            ours.assert_metric_equal(2, "seen_total", registry=registry, colour="red", size="1")
        for part in ('seen_total{colour="red",size="1"} = 3.0', "expected 2", '{colour="blue",size="2"} = 1.0'):
            assert part in str(failure.value)
        frozen = ours.save_registry(registry)
        with pytest.raises(AssertionError) as failure:
            ours.assert_metric_diff(frozen, 1, "level", registry=registry)
        for part in ("level{}", "by 0.0, expected 1", "before: 4.5", "after: 4.5"):
            assert part in str(failure.value)


class TestOurSeries:
    def test_without_a_registry_it_reads_the_service(self) -> None:
        before = ours.save_registry()
        with override_settings(MIDDLEWARE=[conf.BEFORE, conf.AFTER]):
            Client().post("/echo", b"d" * 2_000_000, content_type="application/octet-stream")
        status: Any = {"status": "201", "view": "echo", "method": "POST"}
        ours.assert_metric_diff(before, 1, "django_http_responses_total_by_status_view_method_total", **status)
        ours.assert_metric_diff(before, 0, "django_http_requests_body_total_bytes_bucket", le="1.048576e+06")
        ours.assert_metric_diff(before, 1, "django_http_requests_body_total_bytes_bucket", le="2.097152e+06")
        ours.assert_metric_diff(before, 2_000_000, "django_http_requests_body_total_bytes_sum")
