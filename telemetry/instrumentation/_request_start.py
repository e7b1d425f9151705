"""The beginning of a request's span: the sampler's answer first, and only what it needs of a span.

With the samplers of the SDK's own the answer is a comparison of numbers. A request that is not sampled has a
context to hand on (a valid id of its trace, which others decide by as well) and no attributes, and one that is has
no attribute checked twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    Tracer,
    TraceState,
    get_current_span,
)

from telemetry.instrumentation import _sdk_spans
from telemetry.instrumentation._request_attributes import OTHER, RequestAttributes, Rules, method_of

Start = Callable[[Context, SpanKind, HttpRequest], Span]

_LOW = (1 << 64) - 1
_FLAGS = [TraceFlags(flags) for flags in range(4)]
_SAMPLED, _RANDOM = TraceFlags.SAMPLED, TraceFlags.RANDOM_TRACE_ID
_NO_STATE = TraceState()


def name_of(request: HttpRequest) -> str:
    """The name of a span whose route is not known yet."""
    method = method_of(request)
    return "HTTP" if method == OTHER else method


def starter(tracer: Tracer, rules: Rules) -> Start:
    """What starts the span of a request, of this kind, in this context."""

    def start(around: Context, kind: SpanKind, request: HttpRequest) -> Span:
        return tracer.start_span(name_of(request), around, kind, RequestAttributes(request, rules))

    try:
        return _quick(tracer, rules, start) or start
    except Exception:  # noqa: BLE001  # another SDK than the one known here
        return start


def _quick(tracer: Any, rules: Rules, start: Start) -> Start | None:
    texts_alone = rules.stable_alone and not (rules._traced or rules._request_headers)
    make = _sdk_spans.maker(tracer) if texts_alone else None
    if make is None:
        return None
    bounds, dropped = _sdk_spans.bounds(tracer.sampler), _sdk_spans.when_dropped(tracer)
    root, ids, new_context = bounds.get(None), tracer.id_generator, tuple.__new__
    new_trace, new_span = ids.generate_trace_id, ids.generate_span_id
    if tuple(SpanContext(1, 2, False, _FLAGS[1], _NO_STATE)) != (1, 2, False, _FLAGS[1], _NO_STATE, True):
        return None

    def quick(around: Context, kind: SpanKind, request: HttpRequest) -> Span:
        parent = get_current_span(around).get_span_context() if around else None
        if parent is not None and parent.is_valid:
            flags, state, trace = parent.trace_flags, parent.trace_state, parent.trace_id
            bound, random = bounds.get((parent.is_remote, flags & _SAMPLED == _SAMPLED)), flags & _RANDOM
        else:
            parent, bound, state, trace = None, root, _NO_STATE, new_trace()
            random = _RANDOM if ids.is_trace_id_random() else 0
        if bound is None or not tracer._is_enabled():
            return start(around, kind, request)
        sampled = trace & _LOW < bound
        # What the constructor would check is so: both ids are of generators, or of a valid parent.
        own = new_context(SpanContext, (trace, new_span(), False, _FLAGS[random | sampled], state, True))
        if sampled:
            return make(name_of(request), around, kind, own, parent, rules.at_beginning(request))
        if dropped is not None:
            dropped(parent)
        return NonRecordingSpan(own)

    return quick
