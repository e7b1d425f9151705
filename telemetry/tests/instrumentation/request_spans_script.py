"""Requests of every kind under the stock instrumentation of Django or under ours: run as a script, it prints the spans.

Arguments: `wsgi` or `asgi`, and `stock` or `ours`. Each request is a list of its spans, in the order of their ends; a
parent is told by its name.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import django
from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client
from django.urls import include, path, re_path
from opentelemetry import trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telemetry.instrumentation import spans

REMOTE = "cd" * 8
TRACEPARENT = f"00-{'ab' * 16}-{REMOTE}"

exporter = InMemorySpanExporter()
tracer_provider = TracerProvider(shutdown_on_exit=False)
tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
tracer = tracer_provider.get_tracer("application")


def view(request: HttpRequest, **captured: object) -> HttpResponse:
    with tracer.start_as_current_span("work"):
        response = HttpResponse("done")
    response["X-Answer"] = "yes"
    response.set_cookie("sessionid", "s3cret")
    return response


def raising(error: Exception) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        raise error

    return view


def answering(status: int) -> Callable[[HttpRequest], HttpResponse]:
    return lambda request: HttpResponse(status=status)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def content() -> Iterator[bytes]:
        for _ in range(2):
            with tracer.start_as_current_span("part"):
                yield b"part"

    return StreamingHttpResponse(content())


def breaking(request: HttpRequest) -> StreamingHttpResponse:
    def content() -> Iterator[bytes]:
        yield b"part"
        raise OSError("the s3cret source")

    return StreamingHttpResponse(content())


async def calm(request: HttpRequest) -> HttpResponse:
    with tracer.start_as_current_span("work"):
        await asyncio.sleep(0)
    return HttpResponse("calm")


async def calm_stream(request: HttpRequest) -> StreamingHttpResponse:
    async def content() -> AsyncIterator[bytes]:
        for _ in range(2):
            with tracer.start_as_current_span("part"):
                await asyncio.sleep(0)
            yield b"part"

    return StreamingHttpResponse(content())


async def calm_breaking(request: HttpRequest) -> StreamingHttpResponse:
    async def content() -> AsyncIterator[bytes]:
        yield b"part"
        raise OSError("the s3cret source")

    return StreamingHttpResponse(content())


inner = ([path("item/<int:number>/", view, name="item"), path("plain/", view)], "shop")
urlpatterns = [
    path("", view, name="root"),
    path("view/", view, name="view"),
    path("unnamed/", view),
    path("shop/", include(inner)),
    re_path(r"^year/(?P<year>[0-9]{4})/$", view, name="year"),
    path("word/<str:word>/", view, name="word"),
    path("gone/", raising(Http404("gone"))),
    path("denied/", raising(PermissionDenied("s3cret"))),
    path("suspicious/", raising(SuspiciousOperation("s3cret"))),
    path("crash/", raising(ValueError("of s3cret"))),
    path("created/", answering(201)),
    path("refused/", answering(403)),
    path("unavailable/", answering(503)),
    path("stream/", stream),
    path("breaking/", breaking),
    path("calm/", calm),
    path("calm/stream/", calm_stream),
    path("calm/breaking/", calm_breaking),
]

Request = tuple[str, str, dict[str, str]]

REQUESTS: dict[str, Request] = {
    "root": ("GET", "/", {}),
    "query string": ("GET", "/view/?page=2&token=s3cret", {}),
    "post": ("POST", "/view/", {}),
    "head": ("HEAD", "/view/", {}),
    "options": ("OPTIONS", "/view/", {}),
    "unknown method": ("BREW", "/view/", {}),
    "unnamed": ("GET", "/unnamed/", {}),
    "namespace": ("GET", "/shop/item/7/", {}),
    "namespace, unnamed": ("GET", "/shop/plain/", {}),
    "expression": ("GET", "/year/2024/", {}),
    "text in the path": ("GET", "/word/jane-roe/", {}),
    "no route": ("GET", "/missing/", {}),
    "gone": ("GET", "/gone/", {}),
    "denied": ("GET", "/denied/", {}),
    "suspicious": ("GET", "/suspicious/", {}),
    "crash": ("GET", "/crash/", {}),
    "created": ("PUT", "/created/", {}),
    "refused": ("GET", "/refused/", {}),
    "unavailable": ("GET", "/unavailable/", {}),
    "stream": ("GET", "/stream/", {}),
    "breaking": ("GET", "/breaking/", {}),
    "async": ("GET", "/calm/", {}),
    "async stream": ("GET", "/calm/stream/", {}),
    "async breaking": ("GET", "/calm/breaking/", {}),
    "user agent": ("GET", "/view/", {"user-agent": "Mozilla/5.0 (X11)"}),
    "crawler": ("GET", "/view/", {"user-agent": "Googlebot/2.1"}),
    "host with a port": ("GET", "/view/", {"host": "testserver:8443"}),
    "captured headers": (
        "GET",
        "/view/",
        {"x-asked": "how", "authorization": "Bearer s3cret", "cookie": "sessionid=s3cret"},
    ),
    "sampled caller": ("GET", "/view/", {"traceparent": f"{TRACEPARENT}-01", "tracestate": "vendor=1"}),
    "unsampled caller": ("GET", "/view/", {"traceparent": f"{TRACEPARENT}-00"}),
    "malformed caller": ("GET", "/view/", {"traceparent": "00-zz-01"}),
    "inside of a span": ("GET", "/view/", {}),
    "two at once": ("GET", "/calm/", {}),
}
ASYNC_ONLY = {"async stream", "async breaking", "two at once"}
SYNC_ONLY = {"stream", "breaking", "host with a port"}
"""What the other kind of server does by way of threads; the name of a span's thread is not compared."""


def main(server: str, side: str) -> None:
    logging.disable()
    settings.configure(ALLOWED_HOSTS=["testserver"], MIDDLEWARE=[], ROOT_URLCONF=__name__, SECRET_KEY="tests")
    django.setup()
    if side == "stock":
        DjangoInstrumentor().instrument(tracer_provider=tracer_provider)
    else:
        spans.install(
            tracer_provider,
            disabled=frozenset({"sqlite3", "psycopg", "psycopg2", "celery", "requests", "urllib3", "httpx"}),
            excluded_urls=None,
            get_middleware=lambda: settings.MIDDLEWARE,
            set_middleware=lambda value: setattr(settings, "MIDDLEWARE", list(value)),
        )
    json.dump(asyncio.run(drive_async()) if server == "asgi" else drive(), sys.stdout)


def drive() -> dict[str, Any]:
    found = {}
    for name, (method, target, headers) in REQUESTS.items():
        if name in ASYNC_ONLY:
            continue
        with around(name):
            # A WSGI server tells the target as it came; the test client does not.
            response = Client(raise_request_exception=False).generic(
                method, target, headers=headers, REQUEST_URI=target
            )
            read(response)
        found[name] = taken()
    return found


def read(response: Any) -> None:
    with suppress(OSError):
        b"".join(response)
    response.close()


async def drive_async() -> dict[str, Any]:
    found = {}

    async def ask(method: str, target: str, headers: dict[str, str]) -> None:
        response: Any = await AsyncClient(raise_request_exception=False).generic(method, target, headers=headers)
        with suppress(OSError):
            if response.streaming:
                _ = [part async for part in response]
        response.close()

    for name, request in REQUESTS.items():
        if name in SYNC_ONLY:
            continue
        with around(name):
            await asyncio.gather(*[ask(*request)] * 1 if name != "two at once" else [ask(*request), ask(*request)])
        found[name] = taken()
    return found


def around(name: str) -> Any:
    return tracer.start_as_current_span("outer") if name == "inside of a span" else trace.use_span(trace.INVALID_SPAN)


def taken() -> list[dict[str, Any]]:
    ended: list[Any] = list(exporter.get_finished_spans())
    exporter.clear()
    names: dict[int, str] = {int(REMOTE, 16): "remote"} | {span.context.span_id: span.name for span in ended}
    left = trace.get_current_span().get_span_context().is_valid
    return [
        {
            "name": span.name,
            "kind": span.kind.name,
            "parent": None if span.parent is None else names[span.parent.span_id],
            "trace_state": dict(span.context.trace_state),
            "attributes": dict(span.attributes or {}),
            "status": [span.status.status_code.name, span.status.description],
            "events": [[event.name, dict(event.attributes or {})] for event in span.events],
            "links": len(span.links),
            "scope": [span.instrumentation_scope.name, span.instrumentation_scope.schema_url],
            "left_active": left,
        }
        for span in ended
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
