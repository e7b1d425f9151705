"""Queries traced by the stock instrumentors and by ours, and what their spans have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler

Stability: Any = _OpenTelemetrySemanticConventionStability
STABLE, BOTH = "http,database", "http/dup,database/dup"


class Traces:
    """A provider of one's own, and what it exported."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler or ParentBased(ALWAYS_ON), shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("application")

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]


@contextmanager
def instrumented(instrumentor: Any, traces: Traces, **kwargs: Any) -> Iterator[Traces]:
    """The driver traced by this instrumentor, for the block."""
    instrumentor.instrument(tracer_provider=traces.provider, **kwargs)
    try:
        yield traces
    finally:
        instrumentor.uninstrument()


@contextmanager
def conventions(opt_in: str) -> Iterator[None]:
    """The stock code reads the variable once a process: have it read again."""
    kept = Stability._initialized, dict(Stability._OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING)
    patched = pytest.MonkeyPatch()
    patched.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", opt_in)
    Stability._initialized = False
    try:
        yield
    finally:
        patched.undo()
        Stability._initialized, Stability._OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING = kept


def shown(span: ReadableSpan, spans: list[ReadableSpan]) -> dict[str, Any]:
    """All that is compared about a span; its parent is named by its name."""
    ids = {each.context.span_id: each.name for each in spans}
    return {
        "name": span.name,
        "kind": span.kind.name,
        "parent": None if span.parent is None else ids[span.parent.span_id],
        "attributes": dict(span.attributes or {}),
        "status": (span.status.status_code.name, span.status.description),
        "events": [
            (event.name, sorted(event.attributes or {}), (event.attributes or {})["exception.type"])
            for event in span.events
        ],
        "scope": span.instrumentation_scope,
        "links": list(span.links),
    }


def as_meant(stock: dict[str, Any], text: str | None = None, name: str = "") -> dict[str, Any]:
    """What our span is to be where the stock one is `stock`. Each difference that is meant, and why.

    - `db.operation.name` and `error.type` are there: the stable conventions want them, the stock code keeps
      them for its metrics.
    - The messages of exceptions are gone, from the event and the status: drivers quote the data in them.
    - Literals in the text are `?`, and comments are gone (given as `text`).
    - The name is the letters of the first word behind blanks, brackets and comments however many (given as `name`),
      and the database's where there are none: the stock code passes over one comment at the very beginning, and
      takes all up to the next blank, with the data in it.
    """
    attributes, failed = dict(stock["attributes"]), stock["status"][0] == "ERROR"
    name = name or stock["name"]
    if name != attributes.get("db.namespace", "sqlite"):
        attributes["db.operation.name"] = name
    for key in ("db.query.text", "db.statement"):
        if text is not None and key in attributes:
            attributes[key] = text
    if failed:
        kind = stock["status"][1].partition(":")[0]
        attributes["error.type"] = kind
    return stock | {
        "name": name,
        "attributes": attributes,
        "status": ("ERROR", attributes["error.type"]) if failed else stock["status"],
        "events": [
            (event, [key for key in keys if key != "exception.message"], kind) for event, keys, kind in stock["events"]
        ],
    }


def both(stock: Any, ours: Any, work: Callable[[], object]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The spans of the same work under both instrumentors, each below a span of the application."""
    found = []
    for each in (stock, ours):
        with instrumented(each, Traces()) as traces:
            with traces.tracer.start_as_current_span("work"):
                work()
            found.append([shown(span, traces.spans) for span in traces.spans if span.name != "work"])
    return found[0], found[1]
