"""Spans of the SDK below a sampled span of its own, made without what is decided already.

`Tracer.start_span` asks the sampler, checks every attribute and finds out where it is, for 11 µs. Of a query
all that is known: the parent is sampled, the sampler follows it, the attributes are texts and numbers. The
span is the SDK's own, of its class; where anything is not as it is known, the SDK's way is taken.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import Lock
from time import time_ns
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN_CONTEXT, Span, SpanContext, SpanKind, Tracer
from opentelemetry.trace.propagation import _SPAN_KEY

_SPAN = """
    _attributes _context _end_time _events _instrumentation_info _instrumentation_scope _kind _limits _links _lock
    _name _parent _record_end_metrics _record_exception _resource _sampler _set_status_on_exception _span_processor
    _start_time _status _trace_config
"""
_ATTRIBUTES = "_dict _immutable _lock dropped max_value_len maxlen"
_MOST = 16
"""More attributes than a query's span has."""

Start = Callable[[str, Context, dict[str, Any]], Span]


def starter(tracer: Tracer) -> Start:
    """What starts a client span of this name in this context; its attributes are texts and integers, and given away."""

    def start(name: str, context: Context, attributes: dict[str, Any]) -> Span:
        return tracer.start_span(name, context, SpanKind.CLIENT, attributes)

    try:
        return _quick(tracer, start) or start
    except Exception:  # noqa: BLE001  # another SDK than the one known here
        return start


def _quick(tracer: Any, start: Start) -> Start | None:
    sdk: Any = sys.modules.get("opentelemetry.sdk.trace")
    if sdk is None or type(tracer) is not sdk.Tracer:
        return None
    sampling, sampler, limits = sdk.sampling, tracer.sampler, tracer._span_limits
    if type(sampler).__module__ != sampling.__name__ or not isinstance(sampler, sampling.ParentBased):
        return None
    if sampler._local_parent_sampled is not sampling.ALWAYS_ON:
        return None
    most = limits.max_span_attributes
    if limits.max_span_attribute_length is not None or (most is not None and most < _MOST):
        return None
    made = sdk._Span(
        name="",
        context=INVALID_SPAN_CONTEXT,
        sampler=sampler,
        resource=tracer.resource,
        span_processor=tracer.span_processor,
        kind=SpanKind.CLIENT,
        instrumentation_info=tracer.instrumentation_info,
        limits=limits,
        instrumentation_scope=tracer._instrumentation_scope,
    )
    same, same_attributes = vars(made), vars(made._attributes)
    if same.keys() != {*_SPAN.split()} or same_attributes.keys() != {*_ATTRIBUTES.split()}:
        return None
    kind, sampled = type(made), sampling.Decision.RECORD_AND_SAMPLE
    span_id, measure, processor = tracer.id_generator.generate_span_id, tracer._tracer_metrics, tracer.span_processor
    make_attributes = BoundedAttributes.__new__

    def quick(name: str, context: Context, attributes: dict[str, Any]) -> Span:
        around: Any = context.get(_SPAN_KEY)
        parent = around.get_span_context() if type(around) is kind else INVALID_SPAN_CONTEXT
        if not parent.trace_flags & 1 or not parent.is_valid or not tracer._is_enabled():
            return start(name, context, attributes)
        kept = make_attributes(BoundedAttributes)
        kept.__dict__ = {**same_attributes, "_dict": attributes, "_lock": Lock()}
        span: Any = object.__new__(kind)
        span.__dict__ = {
            **same,
            "_name": name,
            "_context": SpanContext(parent.trace_id, span_id(), False, parent.trace_flags, parent.trace_state),
            "_parent": parent,
            "_lock": Lock(),
            "_attributes": kept,
            "_events": made._new_events(),
            "_links": made._new_links(()),
            "_record_end_metrics": measure.start_span(parent, sampled),
            "_start_time": time_ns(),
        }
        processor.on_start(span, parent_context=context)
        return span  # type: ignore[no-any-return]

    return quick
