"""Spans of the SDK's own class, made without what its tracer would find out and check at every one.

`Tracer.start_span` asks where it is, asks the sampler, and checks and copies every attribute, for 11 µs. Where a
sampler is the SDK's own its answer is known, and so are the attributes: ours. Where anything is not as it is known
here, the SDK's own way is to be taken.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import Lock
from time import time_ns
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN_CONTEXT, Span, SpanContext, SpanKind

_SPAN = """
    _attributes _context _end_time _events _instrumentation_info _instrumentation_scope _kind _limits _links _lock
    _name _parent _record_end_metrics _record_exception _resource _sampler _set_status_on_exception _span_processor
    _start_time _status _trace_config
"""
_ATTRIBUTES = "_dict _immutable _lock dropped max_value_len maxlen"
_MOST = 16
"""More attributes than a query's span has, or a request's begins with."""

_PARENTS = ((True, True), (True, False), (False, True), (False, False))
ALL = 1 << 64

Bounds = dict[tuple[bool, bool] | None, int]
"""What the low 64 bits of a trace's id stay below where it is sampled: by whether the parent is remote and whether
it is sampled; None is a root."""
Make = Callable[[str, Context, SpanKind, SpanContext, SpanContext | None, dict[str, Any]], Span]
"""From a name, what is around, a kind, the span's own context, its parent's, and attributes, which are given away
and are texts and integers: a sampled span that has started."""


def bounds(sampler: Any) -> Bounds:
    """What this sampler answers, as far as it is known.

    Only of the SDK's own (https://opentelemetry.io/docs/specs/otel/trace/sdk/#built-in-samplers): any other
    sampler, a subclass too, may change its mind and is to be asked.
    """
    sdk: Any = sys.modules.get("opentelemetry.sdk.trace.sampling")
    if sdk is None:
        return {}
    samplers: dict[tuple[bool, bool] | None, Any] = dict.fromkeys((None, *_PARENTS), sampler)
    if type(sampler).__module__ == sdk.__name__ and isinstance(sampler, sdk.ParentBased):
        samplers = {
            None: sampler._root,
            (True, True): sampler._remote_parent_sampled,
            (True, False): sampler._remote_parent_not_sampled,
            (False, True): sampler._local_parent_sampled,
            (False, False): sampler._local_parent_not_sampled,
        }
    found: Bounds = {}
    for parent, asked in samplers.items():
        if asked is sdk.ALWAYS_ON:
            found[parent] = ALL
        elif asked is sdk.ALWAYS_OFF:
            found[parent] = 0
        elif type(asked) is sdk.TraceIdRatioBased:
            found[parent] = asked.bound
    return found


def when_dropped(tracer: Any) -> Callable[[SpanContext | None], object] | None:
    """What counts a span below this parent that is not recorded among the SDK's own metrics, if those are on."""
    measure, sdk = tracer._tracer_metrics, sys.modules["opentelemetry.sdk.trace"]
    if type(measure) is sdk._tracer_metrics.NoOpTracerMetrics:
        return None
    drop = sdk.sampling.Decision.DROP
    return lambda parent: measure.start_span(parent, drop)


def template(tracer: Any, kind: SpanKind = SpanKind.INTERNAL) -> Any:
    """A span with all that this tracer's spans have in common; None where the tracer or its spans are none that are
    known here, or where each attribute has to be held against its limits.
    """
    sdk: Any = sys.modules.get("opentelemetry.sdk.trace")
    if sdk is None or type(tracer) is not sdk.Tracer:
        return None
    limits = tracer._span_limits
    most = limits.max_span_attributes
    if limits.max_span_attribute_length is not None or (most is not None and most < _MOST):
        return None
    made = sdk._Span(
        name="",
        context=INVALID_SPAN_CONTEXT,
        sampler=tracer.sampler,
        resource=tracer.resource,
        span_processor=tracer.span_processor,
        kind=kind,
        instrumentation_info=tracer.instrumentation_info,
        limits=limits,
        instrumentation_scope=tracer._instrumentation_scope,
    )
    return made if vars(made).keys() == {*_SPAN.split()} else None


def maker(tracer: Any) -> Make | None:
    """What makes this tracer's sampled spans; None where there is no `template`."""
    made = template(tracer)
    if made is None:
        return None
    sdk: Any = sys.modules["opentelemetry.sdk.trace"]
    processor = tracer.span_processor
    same, same_attributes = vars(made), vars(made._attributes)
    if same_attributes.keys() != {*_ATTRIBUTES.split()}:
        return None
    span_class, sampled, measure = type(made), sdk.sampling.Decision.RECORD_AND_SAMPLE, tracer._tracer_metrics
    new_attributes, new_span = BoundedAttributes.__new__, object.__new__

    def make(
        name: str,
        around: Context,
        kind: SpanKind,
        context: SpanContext,
        parent: SpanContext | None,
        attributes: dict[str, Any],
    ) -> Span:
        kept = new_attributes(BoundedAttributes)
        kept.__dict__ = {**same_attributes, "_dict": attributes, "_lock": Lock()}
        span: Any = new_span(span_class)
        span.__dict__ = {
            **same,
            "_name": name,
            "_kind": kind,
            "_context": context,
            "_parent": parent,
            "_lock": Lock(),
            "_resource": tracer.resource,  # another one in a forked child
            "_attributes": kept,
            "_events": made._new_events(),
            "_links": made._new_links(()),
            "_record_end_metrics": measure.start_span(parent, sampled),
            "_start_time": time_ns(),
        }
        processor.on_start(span, parent_context=around)
        return span  # type: ignore[no-any-return]

    return make
