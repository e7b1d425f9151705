"""Spans of the SDK below a sampled span of its own, made without what is decided already.

`Tracer.start_span` asks the sampler, checks every attribute and finds out where it is, for 11 µs. Of a query
all that is known: the parent is sampled, the sampler follows it, the attributes are texts and numbers. And each
object of a span that waits to be exported is looked at by the garbage collector several times. So the attributes
of a statement are one object for all its spans, and there are lists of events and links only where there is one.
What is exported is the SDK's own; where anything is not as it is known, the SDK's way is taken.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from threading import Lock
from time import time_ns
from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.trace import (
    DEFAULT_TRACE_OPTIONS,
    DEFAULT_TRACE_STATE,
    INVALID_SPAN_CONTEXT,
    Span,
    SpanContext,
    SpanKind,
    Tracer,
)

from telemetry.instrumentation._current import SPAN_KEY
from telemetry.instrumentation._sdk_spans import template

Start = Callable[[str, Context, Mapping[str, Any]], Span]


def shared(attributes: Mapping[str, Any]) -> BoundedAttributes:
    """Attributes, texts and integers, for any number of spans: a span that is given more has a copy from then on."""
    return BoundedAttributes(None, attributes)


def starter(tracer: Tracer) -> Start:
    """What starts a client span of this name in this context, with attributes that are best `shared`."""

    def start(name: str, context: Context, attributes: Mapping[str, Any]) -> Span:
        return tracer.start_span(name, context, SpanKind.CLIENT, dict(attributes))

    try:
        return _quick(tracer, start) or start
    except Exception:  # noqa: BLE001  # another SDK than the one known here
        return start


def _quick(tracer: Any, start: Start) -> Start | None:
    made = template(tracer, SpanKind.CLIENT)
    if made is None:
        return None
    sdk: Any = sys.modules["opentelemetry.sdk.trace"]
    sampling, sampler = sdk.sampling, tracer.sampler
    if type(sampler).__module__ != sampling.__name__ or not isinstance(sampler, sampling.ParentBased):
        return None
    if sampler._local_parent_sampled is not sampling.ALWAYS_ON:
        return None
    if tuple(SpanContext(1, 2, False)) != (1, 2, False, *_NO_TRACE):
        return None
    same = dict(vars(made))
    del same["_events"], same["_links"], same["_resource"]
    kind: Any = type(made)
    ours: Any = _lighter(kind, sdk.ReadableSpan)
    sampled, measure, processor = sampling.Decision.RECORD_AND_SAMPLE, tracer._tracer_metrics, tracer.span_processor
    new_id, new_span, new_context = tracer.id_generator.generate_span_id, object.__new__, tuple.__new__

    def quick(name: str, context: Context, attributes: Mapping[str, Any]) -> Span:
        around: Any = context.get(SPAN_KEY)
        parent = around.get_span_context() if type(around) in (kind, ours) else INVALID_SPAN_CONTEXT
        trace_id, _, _, flags, state, valid = parent
        if not flags & 1 or not valid or not tracer._is_enabled():
            return start(name, context, attributes)
        span: Any = new_span(ours)
        span.__dict__ = {
            **same,
            "_name": name,
            "_context": new_context(SpanContext, (trace_id, new_id(), False, flags, state, True)),
            "_parent": parent,
            "_lock": Lock(),
            "_resource": tracer.resource,  # another one in a forked child
            "_attributes": attributes if type(attributes) is BoundedAttributes else shared(attributes),
            "_record_end_metrics": measure.start_span(parent, sampled),
            "_start_time": time_ns(),
        }
        processor.on_start(span, parent_context=context)
        return span  # type: ignore[no-any-return]

    return quick


_NO_TRACE = (DEFAULT_TRACE_OPTIONS, DEFAULT_TRACE_STATE, True)


@lru_cache(8)
def _lighter(kind: Any, readable: Callable[..., Any]) -> Any:
    """The SDK's class of spans, with lists that are made when they are asked for, and attributes that are shared."""

    class _Span(kind):  # type: ignore[misc]
        _events = _Made("_events", kind._new_events)
        _links = _Made("_links", lambda span: kind._new_links(span, ()))

        def set_attribute(self, key: str, value: Any) -> None:
            self._own_attributes()
            super().set_attribute(key, value)

        def set_attributes(self, attributes: Any) -> None:
            self._own_attributes()
            super().set_attributes(attributes)

        def _own_attributes(self: Any) -> None:
            with self._lock:
                if self._end_time is None and self._attributes._immutable:
                    self._attributes = BoundedAttributes(
                        self._limits.max_span_attributes, self._attributes, immutable=False
                    )

        def _readable_span(self) -> Any:
            own = vars(self)
            return readable(
                name=self._name,
                context=self._context,
                parent=self._parent,
                resource=self._resource,
                attributes=self._attributes,
                events=own.get("_events", ()),
                links=own.get("_links", ()),
                kind=self._kind,
                status=self._status,
                start_time=self._start_time,
                end_time=self._end_time,
                instrumentation_info=self._instrumentation_info,
                instrumentation_scope=self._instrumentation_scope,
            )

    return _Span


class _Made:
    """An attribute that is made when it is asked for, if it has not been set."""

    def __init__(self, name: str, make: Callable[[Any], Any]) -> None:
        self._name = name
        self._make = make

    def __get__(self, span: Any, owner: type) -> Any:
        return vars(span).setdefault(self._name, self._make(span))
