"""A project with something private in all that can be told of a request, and hooks; in all of it stands `planted`."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import include, path
from opentelemetry import trace
from opentelemetry.trace import Span


def planted(request: HttpRequest) -> HttpResponse:
    """A query with a literal, a span of the project's own that fails, and a view that does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 'planted-in-sql', 4242")
    with trace.get_tracer("project").start_as_current_span("work", attributes={"mail": "planted@example.com"}):
        raise ValueError("planted in a message")


def stream(request: HttpRequest) -> HttpResponseBase:
    def content() -> Iterator[bytes]:
        for _ in range(3):
            with connection.cursor() as cursor:
                cursor.execute("SELECT 'planted in a stream'")
            yield b"part,"

    return StreamingHttpResponse(content())


def request_hook(span: Span, request: HttpRequest) -> None:
    span.set_attribute("hooked.method", str(request.method))


def response_hook(span: Span, request: HttpRequest, response: HttpResponse) -> None:
    span.set_attribute("hooked.status", response.status_code)


urlpatterns = [
    path("planted", planted, name="planted"),
    path("stream", stream, name="stream"),
    path("", include("telemetry.tests.project.urls")),
]
