"""What a tracer provider exports that somebody else has set: clean, whoever made the span."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import (
    ReadableSpan,
    Span,
    SpanProcessor,
    SynchronousMultiSpanProcessor,
    TracerProvider,
)
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracerProvider

from telemetry.instrumentation import privacy
from telemetry.instrumentation.privacy import REDACTED
from telemetry.sdk.cleaning import CleaningExporter, clean_exports
from telemetry.sdk.tracing import LazyBatchProcessor

MAIL = "jane.roe@example.com"


class Noting(SpanProcessor):
    """Of nobody's, and it sees what ends."""

    def on_end(self, span: ReadableSpan) -> None:
        pass


class Starting(SpanProcessor):
    """Of nobody's, but it sees no span that has ended, so it cannot export one."""

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        span.set_attribute("started", True)


class Cleaning:
    """A provider, what it exports, and what is told to be unknown."""

    def __init__(self) -> None:
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.exporter = InMemorySpanExporter()
        self.unknown: list[str] = []

    def clean(self) -> Cleaning:
        clean_exports(self.provider, self._cleaned, self.unknown.append)
        return self

    def _cleaned(self, exporter: SpanExporter) -> CleaningExporter:
        return CleaningExporter(exporter, privacy, lambda *_: None)

    def exported(self) -> list[Any]:
        span = self.provider.get_tracer("app").start_span("work", attributes={"user": MAIL})
        span.end()
        self.provider.force_flush()
        return [(found.attributes or {})["user"] for found in self.exporter.get_finished_spans()]


def several(exporter: SpanExporter) -> SpanProcessor:
    made = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]
    made.add_span_processor(SimpleSpanProcessor(exporter))
    return made


PROCESSORS = pytest.mark.parametrize("processor", [SimpleSpanProcessor, BatchSpanProcessor, several])


class TestCleanExports:
    @PROCESSORS
    def test_what_was_there(self, processor: Callable[[SpanExporter], SpanProcessor]) -> None:
        cleaning = Cleaning()
        cleaning.provider.add_span_processor(processor(cleaning.exporter))
        assert [REDACTED] == cleaning.clean().exported()

    @PROCESSORS
    def test_what_comes_later(self, processor: Callable[[SpanExporter], SpanProcessor]) -> None:
        cleaning = Cleaning().clean()
        cleaning.provider.add_span_processor(processor(cleaning.exporter))
        assert [REDACTED] == cleaning.exported()

    def test_twice_is_as_once(self) -> None:
        cleaning = Cleaning()
        processor = BatchSpanProcessor(cleaning.exporter)
        cleaning.provider.add_span_processor(processor)
        once = cleaning.clean().provider.add_span_processor, processor.span_exporter
        assert once == (cleaning.clean().provider.add_span_processor, processor.span_exporter)

    def test_what_it_cannot_clean_is_told(self) -> None:
        cleaning = Cleaning()
        for processor in (Noting(), Starting(), LazyBatchProcessor(InMemorySpanExporter())):  # type: ignore[arg-type]
            cleaning.provider.add_span_processor(processor)
        cleaning.clean().provider.add_span_processor(Noting())
        assert [f"{__name__}.Noting"] * 2 == cleaning.unknown

    def test_another_sdk_is_told(self) -> None:
        unknown: list[str] = []
        clean_exports(NoOpTracerProvider(), lambda exporter: pytest.fail("nothing to clean"), unknown.append)
        assert ["opentelemetry.trace.NoOpTracerProvider"] == unknown


class TestSharedAttributes:
    def spans(self) -> list[ReadableSpan]:
        class Own(ReadableSpan):
            """Of somebody else: its attributes are not where the SDK's spans have them."""

            def __init__(self, user: str) -> None:
                super().__init__("work", attributes={})
                self._user = user

            @property
            def attributes(self) -> Any:
                return {"user": self._user}

        one, other = {"user": MAIL}, {"user": "nobody"}
        found = [ReadableSpan(name, attributes=each) for each in (one, other, one) for name in ("work", MAIL)]
        return [*found, ReadableSpan("work"), Own("a"), Own(MAIL)]

    def test_together_spans_are_what_they_are_alone(self) -> None:
        together, alone = InMemorySpanExporter(), InMemorySpanExporter()
        CleaningExporter(together, privacy, lambda *_: None).export(self.spans())
        for span in self.spans():
            CleaningExporter(alone, privacy, lambda *_: None).export([span])
        expected, found = (
            [(span.name, dict(span.attributes or {})) for span in exporter.get_finished_spans()]
            for exporter in (alone, together)
        )
        assert expected == found
        assert MAIL not in repr(found)

    def test_they_are_cleaned_once(self) -> None:
        asked: list[str] = []

        class Counting:
            masked, name, description = privacy.masked, privacy.name, privacy.description

            @staticmethod
            def attributes(found: Any) -> dict[str, Any]:
                asked.append(found["user"])
                return privacy.attributes(found)

        shared = {"user": MAIL}
        rules: Any = Counting
        exporter = CleaningExporter(InMemorySpanExporter(), rules, lambda *_: None)
        exporter.export([ReadableSpan("work", attributes=shared) for _ in range(5)])
        assert [MAIL] == asked
