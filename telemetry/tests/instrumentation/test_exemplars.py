"""Exemplars: each latency names the trace and the span of a sampled request, and of no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, override_settings
from django.urls import path
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, use_span
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from telemetry.catalogue.cache import cache_catalogue
from telemetry.catalogue.db import db_catalogue
from telemetry.exposition import openmetrics
from telemetry.instrumentation._exemplars import Exemplars
from telemetry.instrumentation._request_attributes import Rules
from telemetry.instrumentation._stock import HTTP, conventions
from telemetry.instrumentation.cache import CacheInstrumentation
from telemetry.instrumentation.db._pools import Pools
from telemetry.instrumentation.guard import Guard
from telemetry.instrumentation.request_spans import SpanMiddleware
from telemetry.instrumentation.spans import OURS
from telemetry.projections import evaluate_all
from telemetry.samples import HistogramValue
from telemetry.store import MemoryStore
from telemetry.tests.instrumentation.recording import AFTER, BEFORE, Recording

WHOLE = "django_http_requests_latency_including_middlewares_seconds"
VIEW = "django_http_requests_latency_seconds_by_view_method"
CACHE = "django_cache_operation_duration_seconds"
WAIT = "db_client_connection_wait_time_seconds"
QUERY = "django_db_query_duration_seconds"
SAMPLED, UNSAMPLED = f"00-{7:032x}-{8:016x}-01", f"00-{7:032x}-{8:016x}-00"
ALWAYS = {
    WHOLE, VIEW, QUERY, "http_server_request_duration_seconds", "db_client_operation_duration_seconds",
    "telemetry_http_request_db_queries", "telemetry_http_request_db_seconds",
}  # fmt: skip

pytestmark = pytest.mark.django_db


def ask(times: int = 1) -> None:
    for _ in range(times):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")


def asks(request: HttpRequest) -> HttpResponse:
    ask()
    return HttpResponse()


def repeats(request: HttpRequest) -> HttpResponse:
    ask(20)
    return HttpResponse()


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        ask()
        yield b"."

    return StreamingHttpResponse(parts())


def crash(request: HttpRequest) -> HttpResponse:
    ask()
    raise LookupError


class _Turned:
    """A middleware that answers by itself."""

    def __init__(self, get_response: Any) -> None:
        pass

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=403)


class _Wrapper:
    alias = "pooled"
    pool = object()


urlpatterns = [
    path("asks", asks, name="asks"),
    path("repeats", repeats, name="repeats"),
    path("stream", stream, name="stream"),
    path("crash", crash, name="crash"),
]


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(0.0)))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(SpanMiddleware, "tracer", provider.get_tracer("test"), raising=False)
    return exporter


@pytest.fixture(autouse=True)
def recording(exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    monkeypatch.setattr(SpanMiddleware, "rules", Rules(conventions(HTTP)), raising=False)
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[BEFORE, OURS, AFTER]), Recording() as recording:
        yield recording
    assert [] == recording.dropped()


def get(path: str, parent: str = SAMPLED) -> None:
    response = Client(raise_request_exception=False, headers={"traceparent": parent}).get(path)
    if response.streaming:
        list(response)


def shown(recording: Recording) -> dict[str, set[tuple[str, str]]]:
    """Trace and span ids of the exemplars on a page, by family."""
    page = openmetrics.render(recording.families()).decode()
    return {
        family.name: found
        for family in text_string_to_metric_families(page)  # type: ignore[no-untyped-call]
        if (
            found := {
                (each.exemplar.labels["trace_id"], each.exemplar.labels["span_id"])
                for each in family.samples
                if each.exemplar
            }
        )
    }


def server_span(exporter: InMemorySpanExporter) -> Any:
    (span,) = (span for span in exporter.get_finished_spans() if span.kind is SpanKind.SERVER)
    return span


class TestExemplars:
    @pytest.mark.parametrize("path", ["/asks", "/stream", "/crash"])
    def test_every_latency_of_a_sampled_request_has_its_ids(
        self, recording: Recording, exporter: InMemorySpanExporter, path: str
    ) -> None:
        get(path)
        found, context = shown(recording), server_span(exporter).context
        assert ALWAYS == set(found)
        assert {(f"{7:032x}", f"{context.span_id:016x}")} == set().union(*found.values())

    def test_they_change_no_count_and_no_sum(self, recording: Recording) -> None:
        for parent in (SAMPLED, UNSAMPLED, SAMPLED):
            get("/asks", parent)
        for family in ALWAYS:
            assert 3 == sum(recording.values(family).values()), family
        assert 3 == recording.sum("telemetry_http_request_db_queries", "GET", "asks")

    def test_an_unsampled_request_leaves_none(self, recording: Recording) -> None:
        get("/repeats", UNSAMPLED)
        assert {} == shown(recording)
        sampled = [table for name, table in recording.store.read().tables.items() if name.endswith(".sampled")]
        assert sampled
        assert [] == [table.layout.name for table in sampled if table.living]

    def test_one_that_no_view_has_answered_has_them(self, recording: Recording, exporter: InMemorySpanExporter) -> None:
        with override_settings(MIDDLEWARE=[BEFORE, OURS, f"{__name__}._Turned", AFTER]):
            get("/asks")
        assert {WHOLE, VIEW, "http_server_request_duration_seconds", "telemetry_http_request_db_queries"} == set(
            shown(recording)
        )

    def test_of_a_request_that_repeats_itself_the_counter_has_one(
        self, recording: Recording, exporter: InMemorySpanExporter
    ) -> None:
        get("/repeats")
        found = shown(recording)["telemetry_http_requests_repeated_queries"]
        assert {(f"{7:032x}", f"{server_span(exporter).context.span_id:016x}")} == found

    def test_a_query_beside_requests_has_the_current_span(self, recording: Recording) -> None:
        with TracerProvider().get_tracer("test").start_as_current_span("task") as span:
            ask()
        context = span.get_span_context()
        assert {(f"{context.trace_id:032x}", f"{context.span_id:016x}")} == shown(recording)[QUERY]

    def test_queries_beside_requests_are_told_apart_by_their_spans(self, recording: Recording) -> None:
        """Below one that is not sampled, below a sampled one of another process, and below the first again."""
        spans = [NonRecordingSpan(SpanContext(7, 8 + flag, True, TraceFlags(flag))) for flag in (0, 1)]
        for span, expected in zip([*spans, spans[0]], [[], [9, 9], [9, 9]], strict=True):
            with use_span(span), connection.cursor() as cursor:
                for statement in ("SELECT 1", "VALUES (1)"):
                    cursor.execute(statement)
            found = recording.store.read().tables["db.query.sampled"].exemplars.values()
            assert expected == [each.span_id for series in found for each in series.values()]


class TestExemplarsOfQueries:
    def test_of_a_bucket_there_is_one_in_a_tenth_of_a_second(self) -> None:
        store, catalogue, now = MemoryStore(), db_catalogue(), [0.0]
        kept = Exemplars(store.table(catalogue.query_sampled), clock=lambda: now[0])
        fast, other = (store.table(catalogue.query).histogram((alias,) * 7) for alias in ("one", "two"))

        def spans() -> list[int]:
            found = store.read().tables[catalogue.query_sampled.name].exemplars
            return sorted(each.span_id for series in found.values() for each in series.values())

        for at, series, value, span, expected in [
            (5.00, fast, 0.001, 1, [1]),
            (5.09, fast, 0.001, 2, [1]),
            (5.09, fast, 9.0, 3, [1, 3]),
            (5.09, other, 0.001, 4, [1, 3, 4]),
            (5.11, fast, 0.001, 5, [3, 4, 5]),
        ]:
            now[0] = at
            kept.keep(series, series.key, value, SpanContext(1, span, is_remote=False, trace_flags=TraceFlags(1)))
            assert expected == spans()


class TestOtherExemplars:
    def test_of_cache_operations(self) -> None:
        store = MemoryStore()
        catalogue = cache_catalogue()
        instrumentation = CacheInstrumentation(store, catalogue, Guard(store))
        instrumentation.install()
        try:
            caches["default"].get("before")
            with TracerProvider().get_tracer("test").start_as_current_span("task") as span:
                caches["default"].get("key")
        finally:
            instrumentation.uninstall()
        (samples,) = (each for each in evaluate_all(catalogue.projections, store.read()) if each.family.name == CACHE)
        ((labels, value),) = samples.series
        assert (("alias", "default"), ("operation", "get")) == labels
        assert isinstance(value, HistogramValue)
        assert 2 == value.count
        assert {span.get_span_context().span_id} == {each.span_id for each in value.exemplars.values()}

    def test_of_waiting_for_a_pool(self, recording: Recording) -> None:
        db = _Wrapper()
        pools = Pools(recording.store, recording.catalogues[1], recording.guard, limit=10)
        with TracerProvider().get_tracer("test").start_as_current_span("task") as span:
            pools.lent(db, 0.5)
        assert {span.get_span_context().span_id} == {int(span_id, 16) for _, span_id in shown(recording)[WAIT]}
        assert 1 == recording.value(WAIT, "pooled")


class TestSpanAttributes:
    @pytest.mark.parametrize(("path", "queries", "most"), [("/asks", 1, 1), ("/repeats", 20, 20), ("/stream", 1, 1)])
    def test_tell_the_same_facts(
        self, recording: Recording, exporter: InMemorySpanExporter, path: str, queries: int, most: int
    ) -> None:
        get(path)
        attributes = server_span(exporter).attributes
        assert (queries, most) == (attributes["telemetry.db.queries"], attributes["telemetry.db.repeated"])
        assert recording.sum("telemetry_http_request_db_seconds", "GET", path[1:]) == attributes["telemetry.db.seconds"]

    def test_of_a_request_without_queries(self, recording: Recording, exporter: InMemorySpanExporter) -> None:
        get("/nowhere")
        attributes = server_span(exporter).attributes
        assert 0 == attributes["telemetry.db.queries"]
        assert "telemetry.db.seconds" not in attributes
