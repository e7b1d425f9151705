"""OpenTelemetry's current context, as it is asked for at every query: by a private name of the API, and only here.

`get_current_span()` goes through five functions and an abstract class's `isinstance`, for more than a query's record
takes. Written against opentelemetry-api 1.45; where the name is another the public way is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from opentelemetry import context as _api
from opentelemetry.context import Context
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.trace import INVALID_SPAN, SpanContext, set_span_in_context

(SPAN_KEY,) = set_span_in_context(INVALID_SPAN, Context())
"""Where a context has its span."""


def _getter() -> Callable[[], Context]:
    runtime: Any = getattr(_api, "_RUNTIME_CONTEXT", None)
    variable = getattr(runtime, "_current_context", None)
    if type(runtime) is not ContextVarsRuntimeContext or not isinstance(variable, ContextVar):
        return _api.get_current
    return variable.get


context: Callable[[], Context] = _getter()
"""The current context."""


def sampled() -> SpanContext | None:
    """The context of the current span where that is sampled."""
    span: Any = context().get(SPAN_KEY)
    if span is None or span is INVALID_SPAN:
        return None
    found: SpanContext = span.get_span_context()
    return found if found.trace_flags & 1 else None
