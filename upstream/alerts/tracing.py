"""The span of a post to a customer's URL: of that it tells the host alone, whatever else traces the library below."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.instrumentation.utils import suppress_http_instrumentation
from opentelemetry.trace import Span, SpanKind, StatusCode, get_tracer

from upstream.jobs.tracing import TRACEPARENT, current

_tracer = get_tracer("upstream.alerts")


@contextmanager
def posting(url: str, headers: MutableMapping[str, Any]) -> Iterator[Span]:
    """A client span for the block; `headers` get its `traceparent`, which is random ids, and nothing else of a context.

    Named and described as by https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client, but for the
    path and the query, in which there are secrets.
    """
    parts = urlsplit(url)
    attributes: dict[str, str | int] = {
        "http.request.method": "POST",
        "server.address": parts.hostname or "",
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
        "url.full": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/REDACTED",
    }
    with (
        suppress_http_instrumentation(),
        _tracer.start_as_current_span(
            "POST", kind=SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span,
    ):
        traceparent = current()
        if traceparent:
            headers[TRACEPARENT] = traceparent
        try:
            yield span
        except Exception as error:
            _fail(span, type(error).__qualname__)
            raise


def answered(span: Span, status: int) -> None:
    """Tell of an answer; one of 400 and more is an error."""
    span.set_attribute("http.response.status_code", status)
    if status >= 400:
        _fail(span, str(status))


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)
