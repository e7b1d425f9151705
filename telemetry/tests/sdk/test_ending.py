"""A process's end has one deadline, which all that exports shares."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from telemetry.sdk import ending
from telemetry.sdk.tracing import LazyBatchProcessor
from telemetry.tests.sdk.test_push import SLOW, Kept, Service


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    ending.go_on()
    yield
    ending.go_on()


class HangingSpans(SpanExporter):
    """Answers only when it is told to end."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.ended.wait(60)
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.ended.set()


class TestDeadline:
    @pytest.fixture(autouse=True)
    def at(self, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
        clock = SimpleNamespace(now=100.0)
        monkeypatch.setattr(ending, "time", SimpleNamespace(monotonic=lambda: clock.now))
        return clock

    def test_the_first_to_ask_begins_it(self, at: SimpleNamespace) -> None:
        assert 101.5 == ending.deadline(spans=True)
        at.now = 101.5
        assert (102.0, 0.5) == (ending.deadline(), ending.remaining(ending.deadline()))
        at.now = 103.0
        assert (102.0, 0.0) == (ending.deadline(), ending.remaining(ending.deadline()))

    def test_what_begins_again_has_an_end_of_its_own(self, at: SimpleNamespace) -> None:
        ending.deadline()
        at.now = 200.0
        ending.go_on()
        assert 202.0 == ending.deadline()


class TestSharing:
    """Spans hang until the end; the metrics are pushed in what is left."""

    @pytest.mark.parametrize("last", ["push", "spans"])
    def test_after_an_end_that_was_not_the_last(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
    ) -> None:
        monkeypatch.setattr(ending, "SECONDS", 1.0)
        process = Service(tmp_path / "store", monkeypatch).process(SLOW, Kept())
        processor, provider = LazyBatchProcessor(HangingSpans), TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(processor)
        begin = {"push": process.push.start, "spans": provider.get_tracer("test").start_span("one").end}
        begin.pop("spans" if last == "push" else "push")()
        monkeypatch.setattr(ending, "_began", time.monotonic() - 1000)
        begin[last]()
        process.counter.add(1)
        until = ending.deadline()
        try:
            processor.shutdown()
            process.push.stop()
            assert until == process.push._deadline
            assert [1] == process.exporter.values("c")
        finally:
            process.end()
