"""The span of a post to a customer's URL, and what of it the receiver gets, whoever traces the library below."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry.context import attach, detach
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telemetry.instrumentation import clients
from upstream.alerts import errors, http, tracing
from upstream.tests.receiver import HANG_UP, Receiver, receiver

STATE = trace.TraceState([("vendor", "private")])
PARENT = trace.SpanContext(0xAB, 0xCD, True, trace.TraceFlags(trace.TraceFlags.SAMPLED), STATE)
SECRETS = "/zebra/T000/B000?token=zebra"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("upstream.alerts"))
    return provider


@pytest.fixture
def exporter(provider: TracerProvider) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


def posted(server: Receiver, path: str = "/") -> None:
    """Below a caller whose context holds more than ids."""
    context = trace.set_span_in_context(trace.NonRecordingSpan(PARENT))
    token = attach(baggage.set_baggage("patient", "jane", context))
    try:
        http.post(server.url(path), b"{}", {})
    finally:
        detach(token)


@contextmanager
def nobody(provider: TracerProvider) -> Iterator[None]:
    yield


@contextmanager
def ours(provider: TracerProvider) -> Iterator[None]:
    clients.uninstall()
    clients.install(provider, frozenset(), lambda *_: None)
    try:
        yield
    finally:
        clients.uninstall()


@contextmanager
def stock(provider: TracerProvider) -> Iterator[None]:
    instrumentors: list[Any] = [RequestsInstrumentor(), URLLib3Instrumentor()]
    for each in instrumentors:
        each.instrument(tracer_provider=provider)
    try:
        yield
    finally:
        for each in instrumentors:
            each.uninstrument()


def shown(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


class TestPosting:
    @pytest.mark.parametrize("others", [nobody, ours, stock])
    def test_one_span_that_tells_the_host_and_goes_on_at_the_receiver(
        self, others: Any, provider: TracerProvider, exporter: InMemorySpanExporter
    ) -> None:
        with others(provider), receiver() as server:
            posted(server, SECRETS)
        (span,), (request,) = exporter.get_finished_spans(), server.requests
        assert SECRETS == request.path
        assert "zebra" not in span.to_json()
        assert ("POST", trace.SpanKind.CLIENT, PARENT) == (span.name, span.kind, span.parent)
        assert {
            "http.request.method": "POST",
            "http.response.status_code": 200,
            "server.address": "127.0.0.1",
            "server.port": server.port,
            "url.full": f"http://127.0.0.1:{server.port}/REDACTED",
        } == shown(span)
        assert f"00-{0xAB:032x}-{span.context.span_id:016x}-01" == request.headers["traceparent"]
        assert [] == [name for name in ("tracestate", "baggage") if name in request.headers]

    def test_an_answer_of_400_and_more_is_an_error(self, exporter: InMemorySpanExporter) -> None:
        for status in (302, 404, 503):
            with receiver(status) as server, pytest.raises(errors.DeliveryError):
                posted(server)
        assert [(302, None, "UNSET"), (404, "404", "ERROR"), (503, "503", "ERROR")] == [
            (shown(span)["http.response.status_code"], shown(span).get("error.type"), span.status.status_code.name)
            for span in exporter.get_finished_spans()
        ]

    def test_no_answer_is_an_error_without_a_message(self, exporter: InMemorySpanExporter) -> None:
        with receiver(HANG_UP) as server, pytest.raises(errors.Unreachable):
            posted(server, SECRETS)
        (span,) = exporter.get_finished_spans()
        assert ("ConnectionError", "ERROR", None, ()) == (
            shown(span)["error.type"],
            span.status.status_code.name,
            span.status.description,
            span.events,
        )
        assert "zebra" not in span.to_json()

    def test_nothing_goes_along_where_nothing_is_traced(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tracing, "_tracer", trace.NoOpTracer())
        with receiver() as server:
            http.post(server.url(), b"{}", {})
        assert "traceparent" not in server.requests[0].headers
