"""The trace that a job belongs to is that of whoever asked for it, also where somebody else sends it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.context import attach, detach
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import get_current_span

TRACEPARENT = "traceparent"
LENGTH = 55
"""Characters of a `traceparent`; what a later version of it may have behind them is not needed (W3C Trace Context)."""


def current() -> str:
    """The current trace and span as W3C `traceparent`; "" without one, or where `OTEL_PROPAGATORS` has others only.

    What else a context carries (`tracestate`, baggage) is somebody else's, and not kept.
    """
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get(TRACEPARENT, "")[:LENGTH]


@contextmanager
def joined(traceparent: str) -> Iterator[None]:
    """Be in that trace while the block runs; who is in it already stays where he is. What is none is ignored."""
    context = extract({TRACEPARENT: traceparent})
    wanted = get_current_span(context).get_span_context()
    if not wanted.is_valid or wanted.trace_id == get_current_span().get_span_context().trace_id:
        yield
        return
    token = attach(context)
    try:
        yield
    finally:
        detach(token)
