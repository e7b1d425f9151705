"""Whoever collects prometheus_client's registry sees every metric, whole, also under concurrent scrapes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, Gauge

from telemetry.samples import Exemplar, FamilySamples, HistogramValue, Reading
from telemetry.sdk.prometheus_reader import StorePrometheusReader
from telemetry.sdk.provider import StoreMeterProvider
from telemetry.spec import Family, FamilyType
from telemetry.store.memory import MemoryStore
from telemetry.tests.sdk.test_families import page_of_families, page_of_registry

EXTRA = [
    FamilySamples(
        Family("django_http_requests_total_by_method_total", FamilyType.COUNTER, "Requests.", ("method",)),
        [((("method", "GET"),), 3.0), ((("method", "POST"),), 0.0)],
    ),
    FamilySamples(Family("django_x_seconds", FamilyType.COUNTER, "No suffix."), [((), 1.5)]),
    FamilySamples(Family("http_server_active_requests", FamilyType.GAUGE, "Now.", ("m",)), [((("m", "GET"),), 2.0)]),
    FamilySamples(
        Family("duration_seconds", FamilyType.HISTOGRAM, "Long.", ("v",), (0.5, 1.0), unit="seconds"),
        [((("v", "a"),), HistogramValue([1.0, 0.0, 2.0], 7.5, {0: Exemplar(0.1, 1e9, 1, 2)}))],
    ),
    FamilySamples(Family("nothing_yet_total", FamilyType.COUNTER, "None.", ("a",)), []),
]


def extra(reading: Reading) -> Iterable[FamilySamples]:
    return EXTRA


class TestStorePrometheusReader:
    def test_further_families_keep_their_names(self) -> None:
        registry = CollectorRegistry(auto_describe=True)
        StoreMeterProvider([StorePrometheusReader(registry)], store=MemoryStore(), extra=extra, shutdown_on_exit=False)
        page = page_of_families(EXTRA)
        # prometheus_client gives every counter its suffix.
        type_, help_, _ = page.pop("django_x_seconds")
        page["django_x_seconds_total"] = (type_, help_, {("django_x_seconds_total", ()): 1.5})
        assert page_of_registry(registry.collect()) == page

    def test_being_registered_does_not_collect(self) -> None:
        class Refusing(MemoryStore):
            def read(self) -> Reading:
                raise AssertionError("read")

        registry = CollectorRegistry(auto_describe=True)
        StoreMeterProvider([StorePrometheusReader(registry)], store=Refusing(), shutdown_on_exit=False)
        Gauge("mine", "of the user", registry=registry)

    def test_a_store_that_cannot_be_read_leaves_the_rest(self, caplog: pytest.LogCaptureFixture) -> None:
        class Broken(MemoryStore):
            def read(self) -> Reading:
                raise OSError("no disk")

        registry = CollectorRegistry()
        StoreMeterProvider([StorePrometheusReader(registry)], store=Broken(), shutdown_on_exit=False)
        Gauge("mine", "of the user", registry=registry)
        for _ in range(3):
            assert [metric.name for metric in registry.collect()] == ["mine"]
        assert len(caplog.records) == 1
        assert "no disk" in caplog.text

    def test_shutdown_leaves_the_registry(self) -> None:
        registry = CollectorRegistry()
        provider = StoreMeterProvider([StorePrometheusReader(registry)], store=MemoryStore(), shutdown_on_exit=False)
        provider.get_meter("scope").create_counter("c").add(1)
        assert [metric.name for metric in registry.collect()] == ["c"]
        provider.shutdown()
        assert list(registry.collect()) == []

    def test_scrapes_at_once_are_each_whole(self) -> None:
        registry = CollectorRegistry()
        inside: list[int] = []
        most: list[int] = []

        def slow(reading: Reading) -> Iterable[FamilySamples]:
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.002)
            inside.pop()
            return ()

        provider: MeterProvider = StoreMeterProvider(
            [StorePrometheusReader(registry)], store=MemoryStore(), extra=slow, shutdown_on_exit=False
        )
        meter = provider.get_meter("scope")
        expected = {f"c{index}" for index in range(50)}
        for name in expected:
            meter.create_counter(name).add(1)
        start = threading.Barrier(8)
        pages: list[list[str]] = []

        def scrape() -> None:
            start.wait()
            pages.extend([metric.name for metric in registry.collect()] for _ in range(5))

        threads = [threading.Thread(target=scrape) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(pages) == 40
        assert set(most) == {1}, "two scrapes were inside the stock collector at once"
        for page in pages:
            assert sorted(page) == sorted(expected)
