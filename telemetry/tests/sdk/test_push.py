"""Which process pushes, what it tells of which time, and what the variables ask for."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader as Periodic

from telemetry.catalogue.export import FAILED, METRICS
from telemetry.errors import ConfigurationError
from telemetry.samples import FamilySamples
from telemetry.sdk import ending
from telemetry.sdk import push as push_module
from telemetry.sdk.provider import StoreMeterProvider, adopt
from telemetry.sdk.push import MetricsPush, build_push
from telemetry.spec import Family, FamilyType
from telemetry.store import Store, open_store

FAST = {"OTEL_METRIC_EXPORT_INTERVAL": "20", "OTEL_METRICS_EXPORTER": "console"}
SLOW = {**FAST, "OTEL_METRIC_EXPORT_INTERVAL": "600000"}
DELTA = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}


class Kept(MetricExporter):
    """Keeps what it is given; `arrives` says what it answers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.batches: list[MetricsData] = []
        self.arrives = True
        self.ended = threading.Event()

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        if self.arrives:
            self.batches.append(metrics_data)
        return MetricExportResult.SUCCESS if self.arrives else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self.ended.set()

    def points(self, name: str) -> list[Any]:
        return [
            point
            for batch in self.batches
            for resource in batch.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def values(self, name: str) -> list[float]:
        return [point.value for point in self.points(name)]


class Hanging(Kept):
    """Answers only when it is told to end."""

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        self.ended.wait(60)
        return MetricExportResult.FAILURE


class Process:
    """What one process of a service has, all of them in this one: a store of its own over the same directory."""

    def __init__(
        self, directory: Path, environ: Mapping[str, str], exporter: Kept, patch: pytest.MonkeyPatch, **options: Any
    ) -> None:
        self.exporter = exporter
        self.store: Store = open_store((), directory)
        self.provider = StoreMeterProvider(store=self.store, shutdown_on_exit=False, extra=options.pop("extra", None))
        self.failures: list[tuple[str, BaseException]] = []
        patch.setattr(push_module, "ConsoleMetricExporter", lambda: exporter)
        deltas = push_module._temporality(environ)  # the console's exporter has none by the variables
        patch.setattr(
            push_module,
            "_target",
            lambda name, provider, consumer, environ: push_module._Target(
                name, lambda: exporter, provider, consumer, deltas, {}
            ),
        )
        self.push = build_push(
            self.provider, self.store, lambda *failure: self.failures.append(failure), environ=environ, **options
        )
        self.counter = self.provider.get_meter("m").create_counter("c")

    def end(self) -> None:
        self.push.stop()
        self.provider.shutdown()
        self.store.close()


class Service:
    """Makes processes over one directory."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self._patch = patch
        self.processes: list[Process] = []

    def process(self, environ: Mapping[str, str], exporter: Kept | None = None, **options: Any) -> Process:
        made = Process(self.directory, environ, exporter or Kept(), self._patch, **options)
        self.processes.append(made)
        return made

    def live_on(self) -> None:
        """Have one more process, so that the end of the others is not the service's."""
        self.process({}).store.attach()


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    made = Service(tmp_path / "store", monkeypatch)
    yield made
    for process in made.processes:
        process.end()


def wait(until: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.01)


class TestMetricsPush:
    def test_one_process_pushes_for_all_and_another_takes_over(self, service: Service) -> None:
        one, other = service.process(FAST), service.process(FAST)
        one.counter.add(1)
        other.counter.add(2)
        one.push.start()
        wait(lambda: 3 in one.exporter.values("c"))
        other.push.start()
        wait(lambda: len(one.exporter.batches) > 5)
        assert [] == other.exporter.batches
        other.counter.add(4)
        one.end()
        assert 7 == one.exporter.values("c")[-1]
        wait(lambda: 7 in other.exporter.values("c"))
        starts = {point.start_time_unix_nano for process in (one, other) for point in process.exporter.points("c")}
        assert 1 == len(starts)
        resources = {
            batch.resource_metrics[0].resource for process in (one, other) for batch in process.exporter.batches
        }
        assert 1 == len(resources)

    def test_nothing_starts_before_it_is_told_to(self, service: Service) -> None:
        threads = threading.active_count()
        process = service.process(FAST)
        process.counter.add(1)
        assert threads == threading.active_count()
        process.push.stop()
        assert not (service.directory / "push.lock").exists()
        assert [] == process.exporter.batches

    def test_nothing_starts_without_variables(self, service: Service) -> None:
        process = service.process({})
        threads = threading.active_count()
        process.push.start()
        assert threads == threading.active_count()

    def test_the_last_push_comes_at_the_end(self, service: Service) -> None:
        process = service.process(SLOW)
        process.push.start()
        process.counter.add(1)
        process.push.stop()
        assert [1] == process.exporter.values("c")
        process.push.stop()
        assert [1] == process.exporter.values("c")

    def test_it_may_start_again_and_goes_on_where_another_left_off(self, service: Service) -> None:
        service.live_on()
        exporter = Kept()
        one, other = (service.process({**SLOW, **DELTA}, exporter) for _ in range(2))
        for amount, process in ((1, one), (2, other), (4, one)):
            process.push.start()
            process.counter.add(amount)
            process.push.stop()
        assert [1, 2, 4] == exporter.values("c")

    def test_all_that_exports_is_ended_together(self, service: Service) -> None:
        process = service.process(SLOW)
        process.push.start()
        process.counter.add(1)
        ending.end()
        assert [1] == process.exporter.values("c")

    def test_a_process_that_ends_leaves_its_last_counts_to_a_pusher_that_goes_on(self, service: Service) -> None:
        staying, ending = service.process(FAST), service.process(SLOW)
        staying.counter.add(1)
        staying.push.start()
        wait(lambda: staying.exporter.batches)
        ending.push.start()
        ending.counter.add(2)
        ending.push.stop()
        assert [] == ending.exporter.batches
        wait(lambda: 3 in staying.exporter.values("c"))

    def test_the_end_does_not_wait_for_a_receiver_that_hangs(
        self, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ending, "SECONDS", 0.1)
        exporter = Hanging()
        process = service.process(SLOW, exporter)
        process.push.start()
        process.counter.add(1)
        process.push.stop()
        assert exporter.ended.is_set()
        wait(lambda: not process.push._thread.is_alive())  # type: ignore[union-attr]
        assert {(METRICS,): [1.0]} == process.store.read().tables[FAILED.name].series()

    def test_a_push_that_did_not_arrive_is_counted_and_made_up_for(self, service: Service) -> None:
        process = service.process({**FAST, **DELTA})
        process.exporter.arrives = False
        process.counter.add(1)
        process.push.start()

        def failures() -> float:
            tables = process.store.read().tables
            return tables[FAILED.name].series().get((METRICS,), [0.0])[0] if FAILED.name in tables else 0.0

        wait(lambda: failures() >= 2)
        process.counter.add(2)
        process.exporter.arrives = True
        wait(lambda: process.exporter.batches)
        process.end()
        assert 3 == sum(process.exporter.values("c"))

    def test_deltas_go_on_where_the_last_pusher_left_them(self, service: Service) -> None:
        service.live_on()
        exporter = Kept()
        for amount in (1, 2, 4):
            process = service.process({**SLOW, **DELTA}, exporter)
            process.push.start()
            process.counter.add(amount)
            process.end()
        points = exporter.points("c")
        assert [1, 2, 4] == [point.value for point in points]
        for one, other in itertools.pairwise(points):
            assert one.time_unix_nano == other.start_time_unix_nano

    def test_a_damaged_baseline_is_reported_and_replaced(self, service: Service) -> None:
        service.live_on()
        first = service.process({**SLOW, **DELTA})
        first.push.start()
        first.counter.add(1)
        first.end()
        (service.directory / "push.console.baseline").write_bytes(b"[")
        second = service.process({**SLOW, **DELTA})
        second.push.start()
        second.counter.add(2)
        second.end()
        assert ["push.baseline"] == [where for where, _ in second.failures]
        assert [3] == second.exporter.values("c")
        assert json.loads((service.directory / "push.console.baseline").read_bytes())

    def test_an_exporter_that_raises_is_counted_and_asked_again(self, service: Service) -> None:
        class Raising(Kept):
            def export(self, *args: Any, **kwargs: Any) -> MetricExportResult:
                if not self.arrives:
                    raise RuntimeError("no")
                return super().export(*args, **kwargs)

        process = service.process(FAST, Raising())
        process.exporter.arrives = False
        process.counter.add(1)
        process.push.start()
        wait(lambda: len(process.failures) >= 2)
        process.exporter.arrives = True
        wait(lambda: process.exporter.values("c"))
        assert {"push.export"} == {where for where, _ in process.failures}

    def test_django_names_are_left_out_unless_wanted(self, service: Service) -> None:
        def extra(reading: Any) -> list[FamilySamples]:
            families = [Family(name, FamilyType.GAUGE, "help") for name in ("django_x", "shop_django_x", "other")]
            return [FamilySamples(family, [((), 1.0)]) for family in families]

        names = {}
        for options in ({}, {"namespace": "shop"}, {"django_names": True}):
            process = service.process(SLOW, extra=extra, **options)
            process.push.start()
            process.end()
            names[str(options)] = [
                name for name in ("django_x", "shop_django_x", "other") if process.exporter.points(name)
            ]
        assert {
            "{}": ["shop_django_x", "other"],
            "{'namespace': 'shop'}": ["django_x", "other"],
            "{'django_names': True}": ["django_x", "shop_django_x", "other"],
        } == names


class TestForeignReaders:
    """Periodic readers that somebody else gave to the provider."""

    def _provider(
        self, directory: Path, exporter: MetricExporter, environ: Mapping[str, str]
    ) -> tuple[Any, Any, MetricsPush]:
        reader = Periodic(exporter, export_interval_millis=1e9)
        provider = MeterProvider([reader], shutdown_on_exit=False)
        store = open_store((), directory)
        adopt(provider, store)
        return reader, provider, build_push(provider, store, lambda *failure: None, environ=environ)

    def test_they_give_data_in_one_process_only(self, tmp_path: Path) -> None:
        one, other = Kept(), Kept()
        (reader, provider, _), (reader2, provider2, _) = (
            self._provider(tmp_path / "store", exporter, {}) for exporter in (one, other)
        )
        provider.get_meter("m").create_counter("c").add(1)
        provider2.get_meter("m").create_counter("c").add(2)
        for each in (reader, reader2, reader):
            each.collect()
        assert ([3, 3], []) == (one.values("c"), other.values("c"))
        provider.shutdown()
        provider2.shutdown()

    def test_those_that_the_variables_made_are_silent(self, tmp_path: Path) -> None:
        environ = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        exporter = OTLPMetricExporter()
        reader, provider, _ = self._provider(tmp_path / "store", exporter, environ)
        provider.get_meter("m").create_counter("c").add(1)
        assert provider._measurement_consumer.collect(reader) is None
        provider.shutdown()


class TestVariables:
    @pytest.mark.parametrize("preference", ["cumulative", "delta", "lowmemory", "DELTA", ""])
    def test_temporalities_are_the_sdks(self, preference: str, monkeypatch: pytest.MonkeyPatch) -> None:
        name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
        environ = {name: preference} if preference else {}
        for variable, value in environ.items():
            monkeypatch.setenv(variable, value)
        ours, stock = (
            Periodic(Kept(preferred_temporality=push_module._temporality(environ)), 1e9),
            Periodic(OTLPMetricExporter(), 1e9),
        )
        assert stock._instrument_class_temporality == ours._instrument_class_temporality
        for reader in (ours, stock):
            reader.shutdown()

    @pytest.mark.parametrize(
        ("environ", "message"),
        [
            ({"OTEL_METRICS_EXPORTER": "oltp"}, "OTEL_METRICS_EXPORTER: 'oltp' is not valid; give otlp, console, none"),
            (
                {"OTEL_METRIC_EXPORT_INTERVAL": "1m"},
                "OTEL_METRIC_EXPORT_INTERVAL: '1m' is not valid; give milliseconds",
            ),
            ({"OTEL_METRIC_EXPORT_TIMEOUT": "-1"}, "OTEL_METRIC_EXPORT_TIMEOUT: '-1' is not valid"),
            (
                {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/json"},
                "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/json' is not valid; give grpc or http/protobuf",
            ),
            (
                {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "often"},
                "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'often' is not valid; give cumulative, delta",
            ),
            (
                {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "best"},
                "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION: 'best' is not valid; give explicit",
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_is_not_valid_is_named(self, tmp_path: Path, environ: dict[str, str], message: str) -> None:
        store = open_store((), tmp_path)
        provider = StoreMeterProvider(store=store, shutdown_on_exit=False)
        with pytest.raises(ConfigurationError, match=message):
            build_push(provider, store, lambda *failure: None, environ=environ)


class TestForks:
    def test_a_child_does_not_hold_the_right_of_its_parent(self, tmp_path: Path) -> None:
        """In a subprocess: a fork of the test run's threads would be the test's own trouble."""
        script = f"""
import os, pathlib
from telemetry.sdk.election import Election

place = pathlib.Path({str(tmp_path)!r})
election = Election(lambda: place)
assert election.won()
(told, tell), (ended, end) = os.pipe(), os.pipe()
if os.fork() == 0:
    os.write(tell, b"yes" if election.won() else b"no")
    os.read(ended, 1)
    os._exit(0)
print(os.read(told, 3).decode())
election.resign()
print(Election(lambda: place).won())
os.write(end, b".")
os.wait()
"""
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
        assert ["no", "True"] == ran.stdout.split()
