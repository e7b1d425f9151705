"""The span of a request, for those who have the request where the span is no longer, or not yet, the current one."""

from __future__ import annotations

from opentelemetry.trace import Span

ATTRIBUTE = "_telemetry_span"
"""What the request's middleware keeps with the request: an object whose `span` it is."""


def span_of(request: object) -> Span | None:
    """The span of a request that `SpanMiddleware` serves or has served; None of everything else."""
    try:
        served = request.__dict__.get(ATTRIBUTE)
    except AttributeError:
        return None
    span: Span | None = None if served is None else served.span
    return span
