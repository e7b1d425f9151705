"""Spans are exported if, and only if, the standard variables ask for it; no thread before the first one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

from telemetry.catalogue.export import FAILED, LOST, SPANS
from telemetry.errors import ConfigurationError
from telemetry.sdk import ending, exporters
from telemetry.sdk.tracing import LazyBatchProcessor, Losses, build_tracer_provider
from telemetry.store import MemoryStore


class Memory(SpanExporter):
    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self.names: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.names += [span.name for span in spans]
        return SpanExportResult.SUCCESS


class Recording(Sampler):
    """Spans are recorded, for processors that want them so, but not sampled."""

    def should_sample(self, *args: object, **kwargs: object) -> SamplingResult:
        return SamplingResult(Decision.RECORD_ONLY)

    def get_description(self) -> str:
        return "records"


def processors(provider: TracerProvider | None) -> list[LazyBatchProcessor]:
    assert provider is not None
    found = provider._active_span_processor._span_processors
    assert all(isinstance(item, LazyBatchProcessor) for item in found)
    return list(found)  # type: ignore[arg-type]


class TestBuildTracerProvider:
    @pytest.mark.parametrize(
        "environ",
        [
            {},
            {"OTEL_TRACES_EXPORTER": ""},
            {"OTEL_TRACES_EXPORTER": "none"},
            {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
            {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
            {"OTEL_SDK_DISABLED": "True", "OTEL_TRACES_EXPORTER": "console"},
            {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1"},
        ],
        ids=str,
    )
    def test_nothing_is_asked_for(self, environ: dict[str, str]) -> None:
        assert build_tracer_provider(environ) is None

    @pytest.mark.parametrize(
        ("environ", "modules"),
        [
            ({"OTEL_TRACES_EXPORTER": "console"}, ["opentelemetry.sdk.trace.export"]),
            ({"OTEL_TRACES_EXPORTER": "otlp"}, ["opentelemetry.exporter.otlp.proto.grpc.trace_exporter"]),
            (
                {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
                ["opentelemetry.exporter.otlp.proto.grpc.trace_exporter"],
            ),
            (
                {
                    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1",
                    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                },
                ["opentelemetry.exporter.otlp.proto.http.trace_exporter"],
            ),
            (
                {
                    "OTEL_TRACES_EXPORTER": "console, otlp,console",
                    "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
                },
                ["opentelemetry.sdk.trace.export", "opentelemetry.exporter.otlp.proto.http.trace_exporter"],
            ),
        ],
        ids=str,
    )
    def test_exporters(self, environ: dict[str, str], modules: list[str]) -> None:
        provider = build_tracer_provider(environ)
        made = [processor._exporter() for processor in processors(provider)]
        assert modules == [type(exporter).__module__ for exporter in made]
        for exporter in made:
            exporter.shutdown()

    @pytest.mark.parametrize(
        ("environ", "message"),
        [
            ({"OTEL_TRACES_EXPORTER": "jaeger"}, "OTEL_TRACES_EXPORTER: 'jaeger' is not valid; give otlp, console"),
            (
                {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
                "OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' is not valid; give grpc or http/protobuf",
            ),
            (
                {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "snappy"},
                "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: 'snappy' is not valid; give none or gzip",
            ),
        ],
    )
    def test_a_wrong_value_is_refused(self, environ: dict[str, str], message: str) -> None:
        with pytest.raises(ConfigurationError, match=message):
            build_tracer_provider(environ)

    def test_a_missing_package_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(exporters._OTLP_PACKAGES, "grpc", "opentelemetry.exporter.missing.grpc")
        with pytest.raises(ConfigurationError, match=r"opentelemetry.exporter.missing.grpc is not .* extra 'otlp'"):
            build_tracer_provider({"OTEL_TRACES_EXPORTER": "otlp"})

    def test_the_resource_is_the_environments(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_SERVICE_NAME", "upstream")
        provider = build_tracer_provider({"OTEL_TRACES_EXPORTER": "console"})
        assert provider is not None
        assert provider.resource.attributes["service.name"] == "upstream"

    def test_spans_reach_the_console(self) -> None:
        script = (
            "from telemetry.sdk.tracing import build_tracer_provider\n"
            "build_tracer_provider().get_tracer('t').start_span('hello').end()\n"
        )
        environ = {**os.environ, "OTEL_TRACES_EXPORTER": "console", "OTEL_SERVICE_NAME": "mine"}
        ran = subprocess.run(
            [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True, timeout=60
        )
        span = json.loads(ran.stdout)
        assert (span["name"], span["resource"]["attributes"]["service.name"]) == ("hello", "mine")


class TestLazyBatchProcessor:
    def test_nothing_is_made_before_the_first_sampled_span(self) -> None:
        made = Memory.made
        threads = threading.active_count()
        provider = TracerProvider(shutdown_on_exit=False, sampler=Recording())
        processor = LazyBatchProcessor(Memory)
        provider.add_span_processor(processor)
        provider.get_tracer("test").start_span("unsampled").end()
        assert provider.force_flush()
        provider.shutdown()
        assert (made, threads) == (Memory.made, threading.active_count())

    def test_spans_are_exported_and_none_after_the_shutdown(self) -> None:
        exporter = Memory()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(LazyBatchProcessor(lambda: exporter))
        tracer = provider.get_tracer("test")
        tracer.start_span("one").end()
        assert provider.force_flush()
        assert exporter.names == ["one"]
        tracer.start_span("two").end()
        provider.shutdown()
        assert exporter.names == ["one", "two"]
        tracer.start_span("three").end()
        assert exporter.names == ["one", "two"]

    def test_no_request_makes_the_exporter(self) -> None:
        made: list[str] = []

        def make() -> Memory:
            made.append(threading.current_thread().name)
            return Memory()

        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(LazyBatchProcessor(make))
        provider.get_tracer("test").start_span("one").end()
        provider.shutdown()
        assert ["OtelBatchSpanRecordProcessor"] == made

    def test_a_forked_child_has_an_exporter_of_its_own(self) -> None:
        """In a subprocess: a fork of the test run's threads would be the test's own trouble."""
        script = """
import json, os
from opentelemetry.sdk.trace import TracerProvider
from telemetry.sdk.tracing import LazyBatchProcessor
from telemetry.tests.sdk.test_tracing import Memory

exporters = []
def make():
    exporters.append(Memory())
    return exporters[-1]

provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(LazyBatchProcessor(make))
tracer = provider.get_tracer("test")
tracer.start_span("parent, not flushed").end()
read, write = os.pipe()
if os.fork() == 0:
    tracer.start_span("child").end()
    provider.shutdown()
    os.write(write, json.dumps([exporter.names for exporter in exporters]).encode())
    os._exit(0)
os.wait()
provider.shutdown()
print(json.dumps([json.loads(os.read(read, 10000)), [exporter.names for exporter in exporters]]))
"""
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True, timeout=60
        )
        assert json.loads(ran.stdout) == [[["child"]], [["parent, not flushed"]]]

    def test_a_span_that_runs_at_a_fork_is_exported_once_and_by_the_parent(self) -> None:
        """The child unwinds as the parent does, and so does a child of its own; each has a span that was backdated."""
        script = """
import os, sys
from opentelemetry.sdk.trace import TracerProvider
from telemetry.sdk.tracing import LazyBatchProcessor
from telemetry.tests.sdk.test_tracing import Memory

memory = Memory()
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(LazyBatchProcessor(lambda: memory))
tracer, children = provider.get_tracer("test"), 0
with tracer.start_as_current_span("request"), tracer.start_as_current_span("task"):
    if os.fork() == 0:
        children += 1
        with tracer.start_as_current_span("job", start_time=1):
            if os.fork() == 0:
                children += 1
                tracer.start_span("queued", start_time=2).end()
if children < 2:
    os.wait()
provider.force_flush()
print(children, memory.names, flush=True)
os._exit(0)
"""
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True, timeout=60
        )
        assert ["0 ['task', 'request']", "1 ['job']", "2 ['queued']"] == sorted(ran.stdout.splitlines())


class Refusing(Memory):
    """Refuses, waits to be ended and refuses, or raises; takes nothing."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.asked, self.ended = threading.Event(), threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked.set()
        if self.how == "hangs":
            self.ended.wait(60)
        if self.how == "raises":
            raise RuntimeError("as the test wants it")
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.ended.set()


class TestLosses:
    """What did not arrive is in the store, exactly."""

    @pytest.fixture(autouse=True)
    def briefly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ending, "SECONDS", 0.1)
        monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
        monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")

    def _end_spans(
        self, exporter: SpanExporter | Callable[[], SpanExporter], first: int, then: int = 0
    ) -> tuple[MemoryStore, TracerProvider]:
        store = MemoryStore("for a test")
        make = exporter if callable(exporter) else lambda: exporter
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(LazyBatchProcessor(make, Losses(store)))
        tracer = provider.get_tracer("test")
        for number in range(first):
            tracer.start_span(f"{number}").end()
        if isinstance(exporter, Refusing) and then:
            assert exporter.asked.wait(10)
        for number in range(first, first + then):
            tracer.start_span(f"{number}").end()
        return store, provider

    def _told(self, store: MemoryStore) -> dict[object, float]:
        tables = store.read().tables
        return {
            key[-1]: cells[0]
            for name in (LOST.name, FAILED.name)
            if name in tables
            for key, cells in tables[name].series().items()
        }

    @pytest.mark.parametrize("how", ["refuses", "raises"])
    def test_an_export_that_fails(self, how: str) -> None:
        store, provider = self._end_spans(Refusing(how), 3)
        provider.force_flush()
        assert {"failed": 3, SPANS: 1} == self._told(store)
        provider.shutdown()

    def test_an_exporter_that_cannot_be_made(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "as the test wants it")
        (processor,) = processors(build_tracer_provider({"OTEL_TRACES_EXPORTER": "otlp"}))
        store, provider = self._end_spans(processor._exporter, 3)
        provider.shutdown()
        assert {"failed": 3, SPANS: 1} == self._told(store)

    def test_a_full_queue_loses_the_oldest(self) -> None:
        exporter = Refusing("hangs")
        store, provider = self._end_spans(exporter, 4, then=7)
        assert {"queue_full": 3} == self._told(store)
        provider.shutdown()
        assert 11 == sum(count for reason, count in self._told(store).items() if reason != SPANS)

    def test_what_arrives_is_not_lost(self) -> None:
        exporter = Memory()
        store, provider = self._end_spans(exporter, 3)
        provider.shutdown()
        assert ({}, ["0", "1", "2"]) == (self._told(store), exporter.names)
