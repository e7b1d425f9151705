"""The middleware of request spans by itself: where a request's span ends, and as what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpRequest, StreamingHttpResponse
from django.test import RequestFactory
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from telemetry.catalogue.http import CLIENT_GONE
from telemetry.instrumentation import spans


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Spans of requests installed in this process, and out of it afterwards."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    middleware: Any = {"get_middleware": list, "set_middleware": lambda _: None}
    others = frozenset({"sqlite3", "psycopg", "psycopg2", "celery", "requests", "urllib3", "httpx"})
    spans.install(provider, disabled=others, excluded_urls=None, **middleware)
    yield exporter
    spans.uninstall(**middleware)


def outcome(exporter: InMemorySpanExporter) -> tuple[StatusCode, object]:
    (span,) = exporter.get_finished_spans()
    return span.status.status_code, (span.attributes or {}).get("error.type")


class TestUnreadStream:
    """A server closes a stream that it did not read to the end; whether the client has left depends on the request."""

    @pytest.mark.parametrize(
        ("method", "status", "expected"),
        [
            ("GET", 200, (StatusCode.ERROR, CLIENT_GONE)),
            ("HEAD", 200, (StatusCode.UNSET, None)),
            ("GET", 304, (StatusCode.UNSET, None)),
        ],
    )
    def test_is_a_client_gone_only_where_it_had_to_be_read(
        self, exporter: InMemorySpanExporter, method: str, status: int, expected: tuple[StatusCode, object]
    ) -> None:
        def get_response(request: HttpRequest) -> Any:
            return StreamingHttpResponse(iter([b"a", b"b"]), status=status)

        response: Any = spans.SpanMiddleware(get_response)(RequestFactory().generic(method, "/x"))
        assert () == exporter.get_finished_spans()
        response.close()
        assert expected == outcome(exporter)
