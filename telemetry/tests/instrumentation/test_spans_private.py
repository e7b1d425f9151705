"""Private data planted in everything that a request brings is in no span; its trace is where it is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncRequestFactory, RequestFactory
from django.urls import ResolverMatch
from opentelemetry import trace
from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability as Stability
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler

from telemetry.instrumentation import clients, privacy, spans
from telemetry.instrumentation.request_spans import SpanMiddleware

EXPOSED = "Access-Control-Expose-Headers"


class Traced:
    """The middleware around a view, with spans of its own provider."""

    def __init__(self, sampler: Sampler) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("app")
        self.failures: list[str] = []
        spans.install(
            self.provider,
            disabled=frozenset({*spans.DRIVERS, *clients.LIBRARIES, "celery"}),
            excluded_urls=None,
            get_middleware=list,
            set_middleware=lambda middleware: None,
            failed=lambda where, error: self.failures.append(f"{where}: {error!r}"),
        )

    def get(self, view: Callable[[HttpRequest], Any], path: str = "/x/", **headers: str) -> Any:
        middleware = SpanMiddleware(view)
        return middleware(RequestFactory().get(path, headers=headers))

    def spans(self) -> list[Any]:
        return list(self.exporter.get_finished_spans())

    def text(self) -> str:
        return "".join(span.to_json() for span in self.spans())


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `spans.install` sets on the middleware is undone after each test."""
    for name in ("tracer", "rules", "excluded", "failed"):
        monkeypatch.setattr(SpanMiddleware, name, None, raising=False)


@pytest.fixture
def traced() -> Iterator[Traced]:
    made = Traced(ALWAYS_ON)
    yield made
    assert [] == made.failures


@pytest.fixture
def unsampled() -> Iterator[Traced]:
    made = Traced(ALWAYS_OFF)
    yield made
    assert [] == made.failures


def ok(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


@pytest.mark.parametrize("opt_in", ["", "http/dup"])
class TestPrivate:
    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch: pytest.MonkeyPatch, opt_in: str) -> None:
        monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", opt_in)
        monkeypatch.setattr(Stability, "_initialized", False)
        monkeypatch.setattr(Stability, "_OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING", {})
        for direction in ("REQUEST", "RESPONSE"):
            monkeypatch.setenv(f"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_{direction}", ".*")
        monkeypatch.setenv(
            "OTEL_PYTHON_DJANGO_TRACED_REQUEST_ATTRS", "path_info,COOKIES,META,content_type,GET,get_full_path,user"
        )

    def test_nothing_that_was_planted_is_in_a_span(self, opt_in: str) -> None:
        traced = Traced(ALWAYS_ON)

        def view(request: HttpRequest) -> HttpResponse:
            response = HttpResponse("ok")
            response.set_cookie("sessionid", "s3cret")
            response["X-Auth-Token"] = "s3cret"
            response["Location"] = "/next?token=s3cret"
            return response

        traced.get(
            view,
            "/people/jane@example.org/123-45-6789/?token=s3cret&q=s3cret&a=4111111111111111&s3cret",
            authorization="Bearer s3cret",
            cookie="sessionid=s3cret",
            x_api_key="s3cret",
            referer="https://h/?password=s3cret",
            user_agent="robot jane@example.org",
            accept="text/html",
        )
        text = traced.text()
        assert [] == [each for each in ("s3cret", "jane", "6789", "4111") if each in text]
        attributes = traced.spans()[0].attributes
        expected = {
            "url.path": "/people/REDACTED/REDACTED/",
            "url.query": "token=REDACTED&q=REDACTED&a=REDACTED&REDACTED",
            "user_agent.original": "robot REDACTED",
            "http.request.header.accept": ("text/html",),
            "http.request.header.referer": ("https://h/?password=REDACTED",),
            "http.response.header.location": ("/next?token=REDACTED",),
            "path_info": "/people/REDACTED/REDACTED/",
            "get_full_path": None,
            "user": None,
        }
        assert expected == {name: attributes.get(name) for name in expected}

    def test_the_server_is_that_of_the_host_header_without_its_port(self, opt_in: str) -> None:
        traced = Traced(ALWAYS_ON)
        hosts = ("shop.example", "shop.example:8443", "[::1]:8000", "[::1]", "shop.example:", "shop.example:x")
        for host in hosts:
            traced.get(ok, host=host)
        told = [(span.attributes["server.address"], span.attributes["server.port"]) for span in traced.spans()]
        assert [("shop.example", 80), ("shop.example", 8443), ("[::1]", 8000), ("[::1]", 80)] == told[:4]
        assert [("shop.example:", 80), ("shop.example:x", 80)] == told[4:]
        assert [host if opt_in else None for host in hosts] == [
            span.attributes.get("net.host.name") for span in traced.spans()
        ]

    def test_the_path_shows_no_text_that_its_route_has_captured(self, opt_in: str) -> None:
        traced = Traced(ALWAYS_ON)

        def view(request: HttpRequest) -> HttpResponse:
            request.resolver_match = ResolverMatch(ok, (), {"name": "jane"}, route="<name>/7/")
            request.resolver_match.captured_kwargs = {"name": "jane"}  # type: ignore[attr-defined]
            return HttpResponse("ok")

        traced.get(view, "/jane/7/")
        attributes = traced.spans()[0].attributes
        told = {name: attributes[name] for name in ("url.path", "path_info", "http.target") if name in attributes}
        assert dict.fromkeys(["url.path", "path_info", *(["http.target"] if opt_in else [])], "/REDACTED/7/") == told
        assert "jane" not in traced.text()

    @pytest.mark.parametrize("kind", [ValueError, PermissionDenied])
    def test_no_message_of_an_exception_is_in_a_span(self, opt_in: str, kind: type[Exception]) -> None:
        traced = Traced(ALWAYS_ON)

        def view(request: HttpRequest) -> HttpResponse:
            raise kind("s3cret")

        with pytest.raises(kind):
            traced.get(view)
        assert "s3cret" not in traced.text()
        assert kind.__name__ == traced.spans()[0].status.description


class TestResponseHeader:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        return lambda header: monkeypatch.setattr(SpanMiddleware, "response_header", header)

    def test_is_none_where_none_is_asked_for(self, traced: Traced) -> None:
        assert {"Content-Type"} == set(traced.get(ok).headers)

    def test_names_the_requests_span(self, traced: Traced, asked: Callable[[str], None]) -> None:
        asked("traceresponse")
        response = traced.get(ok)
        context = traced.spans()[0].context
        assert (
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}" == response["traceresponse"]
        )
        assert "traceresponse" == response[EXPOSED]

    def test_stands_beside_what_the_application_says(self, traced: Traced, asked: Callable[[str], None]) -> None:
        asked("server-timing")

        def view(request: HttpRequest) -> HttpResponse:
            return HttpResponse(headers={"Server-Timing": "db;dur=5", EXPOSED: "X-A"})

        response = traced.get(view)
        context = traced.spans()[0].context
        value = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        assert f'db;dur=5, traceparent;desc="{value}"' == response["Server-Timing"]
        assert "X-A, server-timing" == response[EXPOSED]

    @pytest.mark.parametrize("header", ["traceresponse", "server-timing"])
    def test_is_not_there_without_a_span(self, unsampled: Traced, asked: Callable[[str], None], header: str) -> None:
        asked(header)
        assert {"Content-Type"} == set(unsampled.get(ok).headers)


class TestStream:
    def parts(self, traced: Traced) -> Iterator[bytes]:
        with traced.tracer.start_as_current_span("whole"):
            for name in ("a", "b"):
                traced.tracer.start_span(name).end()
                yield name.encode()

    async def async_parts(self, traced: Traced) -> AsyncIterator[bytes]:
        for part in self.parts(traced):
            await asyncio.sleep(0)
            yield part

    def check(self, traced: Traced) -> None:
        found = {span.name: span for span in traced.spans()}
        assert {"a", "b", "whole", "GET"} == set(found)
        assert found["GET"].context == found["whole"].parent
        assert found["whole"].context == found["a"].parent == found["b"].parent
        assert trace.INVALID_SPAN is trace.get_current_span()

    def test_is_made_in_the_requests_span(self, traced: Traced) -> None:
        response = traced.get(lambda request: StreamingHttpResponse(self.parts(traced)))
        for part in response:
            assert part in (b"a", b"b")
            assert trace.INVALID_SPAN is trace.get_current_span(), "what the server does between is no part of it"
        self.check(traced)

    def test_is_made_in_the_requests_span_by_an_event_loop(self, traced: Traced) -> None:
        async def view(request: HttpRequest) -> StreamingHttpResponse:
            return StreamingHttpResponse(self.async_parts(traced))

        async def main() -> list[bytes]:
            middleware: Any = SpanMiddleware(view)
            response = await middleware(AsyncRequestFactory().get("/x/"))
            return [part async for part in response.streaming_content]

        assert [b"a", b"b"] == asyncio.run(main())
        self.check(traced)

    def test_of_an_unsampled_request_begins_no_trace(self, unsampled: Traced) -> None:
        seen: list[trace.SpanContext] = []

        def parts() -> Iterator[bytes]:
            seen.append(trace.get_current_span().get_span_context())
            yield b"a"

        assert b"a" == unsampled.get(lambda request: StreamingHttpResponse(parts())).getvalue()
        assert [(True, False)] == [(context.is_valid, context.trace_flags.sampled) for context in seen]
        assert [] == unsampled.spans()

    def test_stays_a_file(self, traced: Traced) -> None:
        file = BytesIO(b"content")
        response = traced.get(lambda request: FileResponse(file))
        assert file is response.file_to_stream
        assert b"content" == response.getvalue()
        response.close()
        assert ["GET"] == [span.name for span in traced.spans()]


class TestUnsampled:
    def test_reads_and_cleans_nothing(self, unsampled: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: object, **kwargs: object) -> None:
            raise AssertionError("an unsampled request paid for privacy")

        for name in ("attributes", "masked", "query", "record", "stack"):
            monkeypatch.setattr(privacy, name, fail)
        assert 200 == unsampled.get(ok, "/people/jane@example.org/?token=s3cret").status_code

        def view(request: HttpRequest) -> HttpResponse:
            raise ValueError("s3cret")

        with pytest.raises(ValueError, match="s3cret"):
            unsampled.get(view)
