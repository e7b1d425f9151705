"""An exporter in front of another: nothing leaves the process before it is cleaned, whoever made the span."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status


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
        for span in spans:
            try:
                clean.append(_Clean(span, self._rules))
            except Exception as error:  # noqa: BLE001 - whatever is wrong with this one, the others go out
                self._failed("spans.clean", error)
        return self._exporter.export(clean)

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter."""
        return self._exporter.force_flush(timeout_millis)


class _Clean(ReadableSpan):
    """A span without what is private, that has lost as much as the one it was made of."""

    def __init__(self, span: ReadableSpan, rules: Rules) -> None:
        super().__init__(
            name=rules.name(span.name, span.attributes or {}),
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=rules.attributes(span.attributes or {}),
            events=[
                Event(rules.masked(event.name), rules.attributes(event.attributes or {}), event.timestamp)
                for event in span.events
            ],
            links=[Link(link.context, rules.attributes(link.attributes or {})) for link in span.links],
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


def _error(span: ReadableSpan) -> str:
    """The type of the last exception that was recorded."""
    for event in reversed(span.events):
        if event.name == "exception" and event.attributes:
            return str(event.attributes.get("exception.type", ""))
    return ""
