"""The request that is underway where something happens: what its queries add up to, and its sampled span.

One object a request, in a context variable: the threads and tasks to which Django and asgiref take a request
share it; threads that the application starts by itself begin with none.
"""

from __future__ import annotations

import time
from contextvars import ContextVar

from opentelemetry.trace import Span, SpanContext

from telemetry.instrumentation._current import sampled
from telemetry.samples import Exemplar

TAIL = 1024
"""Characters at a statement's end by which it is known again: the columns selected stand before them."""
_SHAPES = 1000
"""How many different statements of a request are told apart; those beyond are counted, not compared."""


class Underway:
    """One request. `queries` are statements executed, `seconds` what they took, `shapes` how often each ran.

    `span` is that of the request where it is sampled; it is known only once `traced` is set.
    `store` is where it is recorded: where several record, as in tests, each adds up its own.
    """

    __slots__ = ("outer", "queries", "seconds", "shapes", "span", "store", "traced")

    def __init__(self, store: object) -> None:
        self.store = store
        self.queries = 0
        self.seconds = 0.0
        self.shapes: dict[str, int] = {}
        self.span: SpanContext | None = None
        self.traced = False
        self.outer: Underway | None = None

    def executed(self, sql: object, seconds: float) -> None:
        """A statement has been executed; Django gives its text without its parameters."""
        self.queries += 1
        self.seconds += seconds
        if type(sql) is str:
            shape, shapes = sql[-TAIL:], self.shapes
            seen = shapes.get(shape)
            if seen is not None:
                shapes[shape] = seen + 1
            elif len(shapes) < _SHAPES:
                shapes[shape] = 1

    def most(self) -> int:
        """How often the statement ran that ran most."""
        return max(self.shapes.values(), default=0)

    def belongs_to(self, span: Span) -> None:
        """This is the request's span."""
        context = span.get_span_context()
        self.span = context if context.trace_flags & 1 else None
        self.traced = True

    def enter(self) -> None:
        """What happens from now on in this context is a part of the request."""
        self.outer = current.get()
        current.set(self)

    def leave(self) -> None:
        """What happens from now on in this context is none, or one of the request around it."""
        # Not by token: the server may end a request in another context than it began in.
        current.set(self.outer)


current: ContextVar[Underway | None] = ContextVar("telemetry_underway", default=None)


def exemplar(value: float) -> Exemplar | None:
    """The exemplar of a measurement made now; None where neither the request nor the current span is sampled."""
    request = current.get()
    span = request.span if request is not None and request.traced else sampled()
    return None if span is None else exemplar_of(span, value)


def exemplar_of(span: SpanContext, value: float) -> Exemplar:
    """The exemplar of a measurement that belongs to a sampled span."""
    return Exemplar(value, time.time(), span.trace_id, span.span_id)
