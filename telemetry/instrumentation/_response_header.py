"""The trace of a request in a header of its response, for whoever sent it to look the trace up."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from opentelemetry.trace import Span

TRACERESPONSE = "traceresponse"
SERVER_TIMING = "server-timing"
_EXPOSED = "Access-Control-Expose-Headers"


def tell(response: HttpResponseBase, header: str, span: Span) -> None:
    """Put the span's trace into the response's `traceresponse` or `Server-Timing` header.

    The value is that of https://www.w3.org/TR/trace-context-2/#traceresponse-header; in Server-Timing it
    is the description of `traceparent`, which a browser's scripts can read where they see no headers.
    What the application has put into these headers stays.
    """
    context = span.get_span_context()
    value = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 0xFF:02x}"
    if header == SERVER_TIMING:
        _append(response, "Server-Timing", f'traceparent;desc="{value}"')
    else:
        response.headers[TRACERESPONSE] = value
    _append(response, _EXPOSED, header)


def _append(response: HttpResponseBase, name: str, value: str) -> None:
    given = response.headers.get(name)
    response.headers[name] = f"{given}, {value}" if given else value
