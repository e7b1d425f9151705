"""An exporter in front of another: nothing leaves the process before it is cleaned, whoever made the span."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Protocol

from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanContext, Status, TraceState

from telemetry.sdk._private import attributes_of, processors_in, processors_of, set_exporter
from telemetry.sdk.tracing import LazyBatchProcessor


class Rules(Protocol):
    """What is private in texts and attributes; `telemetry.instrumentation.privacy` is one."""

    def masked(self, text: str, /) -> str:
        """The text without what is private."""

    def name(self, text: str, found: Mapping[str, Any], /) -> str:
        """The name of a span with these attributes, without what is private."""

    def description(self, text: str, error: str, /) -> str:
        """A status description without what is private; `error` is the type of the exception recorded, if one is."""

    def attributes(self, found: Mapping[str, Any], /) -> dict[str, Any]:
        """The attributes without what is private."""


class CleaningExporter(SpanExporter):
    """Gives `exporter` copies of the spans, cleaned by `rules`; it works where the exporter does, in no request.

    A span that cannot be cleaned does not leave; `failed` is told.
    """

    def __init__(self, exporter: SpanExporter, rules: Rules, failed: Callable[[str, BaseException], None]) -> None:
        self._exporter = exporter
        self._rules = rules
        self._failed = failed

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export the cleaned spans; what the exporter answers."""
        clean: list[ReadableSpan] = []
        known: _Known = {}
        for span in spans:
            try:
                clean.append(_Clean(span, self._rules, known))
            except Exception as error:  # noqa: BLE001 - whatever is wrong with this one, the others go out
                self._failed("spans.clean", error)
        return self._exporter.export(clean)

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter."""
        return self._exporter.force_flush(timeout_millis)


def clean_exports(
    provider: object, cleaned: Callable[[SpanExporter], CleaningExporter], unknown: Callable[[str], None]
) -> None:
    """Have `cleaned` put in front of all exporters of a tracer provider, those that are added later too. Idempotent.

    `unknown` is told, by the class's name, of what sees spans as they are: a provider that is not the SDK's, a
    processor other than the SDK's simple and its batching one.
    """
    if not isinstance(provider, TracerProvider):
        unknown(_name(provider))
        return
    for processor in processors_of(provider):
        _clean(processor, cleaned, unknown)
    add = provider.add_span_processor
    if not hasattr(add, "__wrapped__"):

        @wraps(add)
        def add_cleaned(span_processor: SpanProcessor) -> None:
            for each in processors_in(span_processor):
                _clean(each, cleaned, unknown)
            add(span_processor)

        provider.add_span_processor = add_cleaned  # type: ignore[method-assign]


def _clean(
    processor: SpanProcessor, cleaned: Callable[[SpanExporter], CleaningExporter], unknown: Callable[[str], None]
) -> None:
    if isinstance(processor, (BatchSpanProcessor, SimpleSpanProcessor)):
        if not isinstance(processor.span_exporter, CleaningExporter):
            set_exporter(processor, cleaned(processor.span_exporter))
    elif type(processor).on_end is not SpanProcessor.on_end and not isinstance(processor, LazyBatchProcessor):
        unknown(_name(processor))


def _name(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


_Known = dict[tuple[str, int], tuple[str, dict[str, Any]]]
"""Of the spans of one export, by name and attributes: both, clean."""


class _Clean(ReadableSpan):
    """A span without what is private, that has lost as much as the one it was made of."""

    def __init__(self, span: ReadableSpan, rules: Rules, known: _Known) -> None:
        # All spans of a statement share their attributes; `id` tells, as long as the spans are there.
        told = span.name, attributes_of(span)
        found = known.get(told)
        if found is None:
            attributes = dict(span.attributes or {})
            found = rules.name(span.name, attributes), rules.attributes(attributes)
            if told[1]:
                known[told] = found
        super().__init__(
            name=found[0],
            context=span.context and _context(span.context, rules),
            parent=span.parent,
            resource=span.resource,
            attributes=found[1],
            events=[
                Event(rules.masked(event.name), rules.attributes(event.attributes or {}), event.timestamp)
                for event in span.events
            ],
            links=[Link(_context(link.context, rules), rules.attributes(link.attributes or {})) for link in span.links],
            kind=span.kind,
            status=Status(
                span.status.status_code,
                span.status.description and rules.description(span.status.description, _error(span)),
            ),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )
        self._lost = span.dropped_attributes, span.dropped_events, span.dropped_links

    @property
    def dropped_attributes(self) -> int:
        return self._lost[0]

    @property
    def dropped_events(self) -> int:
        return self._lost[1]

    @property
    def dropped_links(self) -> int:
        return self._lost[2]


def _context(context: SpanContext, rules: Rules) -> SpanContext:
    """The context without entries of its trace state that hold what is private: those come with a request."""
    found = context.trace_state
    clean = [(name, value) for name, value in found.items() if rules.masked(value) == value] if found else ()
    if len(clean) == len(found):
        return context
    return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags, TraceState(clean))


def _error(span: ReadableSpan) -> str:
    """The type of the last exception that was recorded."""
    for event in reversed(span.events):
        if event.name == "exception" and event.attributes:
            return str(event.attributes.get("exception.type", ""))
    return ""
