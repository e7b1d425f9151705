"""Spans of psycopg 3's queries: of all its kinds of cursors, sync and async, with COPY and `stream`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import isawaitable
from typing import Any

import psycopg
from opentelemetry.instrumentation import psycopg as stock
from opentelemetry.trace import TracerProvider
from wrapt import wrap_function_wrapper

from telemetry.instrumentation._in_place import InPlace
from telemetry.instrumentation.drivers._cursors import (
    Traced,
    at_once,
    awaited,
    until_left,
    until_left_async,
    until_read,
    until_read_async,
    untraced,
)
from telemetry.instrumentation.drivers._tracing import Failed, Options, Tracing, log_once

_METHODS = {"execute": at_once, "executemany": at_once, "copy": until_left, "stream": until_read}
_ASYNC_METHODS = {
    "execute": awaited,
    "executemany": awaited,
    "copy": until_left_async,
    "stream": until_read_async,
}
_DJANGO = "django.db.backends.postgresql.base"
_FACTORIES = ("cursor_factory", "server_cursor_factory")
_INSTRUMENTED = "_is_instrumented_by_opentelemetry"
_Stock: Any = stock.PsycopgInstrumentor


class PsycopgInstrumentor(InPlace, _Stock):  # type: ignore[misc]
    """The stock instrumentor's place and words, our cursors."""

    def _instrument(self, **kwargs: Any) -> None:
        put = _putter(**kwargs)

        def connect(call: Callable[..., Any], instance: object, args: Any, kwargs: Any) -> Any:
            made = call(*args, **kwargs)
            return put_later(made) if isawaitable(made) else put(made)

        async def put_later(made: Any) -> Any:
            return put(await made)

        for holder in (psycopg, psycopg.Connection, psycopg.AsyncConnection):
            wrap_function_wrapper(holder, "connect", connect)

    def _uninstrument(self, **kwargs: Any) -> None:
        super()._uninstrument(**kwargs)
        django: Any = sys.modules.get(_DJANGO)
        if django is not None and hasattr(django, "ServerSideCursor"):
            django.ServerSideCursor = untraced(django.ServerSideCursor)

    @staticmethod
    def instrument_connection(connection: Any, tracer_provider: TracerProvider | None = None, **options: Any) -> Any:
        """Give the queries of an open connection spans; `options` are those of `instrument()`."""
        if not getattr(connection, _INSTRUMENTED, False):
            setattr(connection, _INSTRUMENTED, True)
            _putter(tracer_provider, **options)(connection)
        return connection

    @staticmethod
    def uninstrument_connection(connection: Any) -> Any:
        """Leave an open connection as it was before `instrument_connection`."""
        setattr(connection, _INSTRUMENTED, False)
        for name in _FACTORIES:
            setattr(connection, name, untraced(getattr(connection, name)))
        return connection


def _putter(
    tracer_provider: TracerProvider | None = None, *, failed: Failed = log_once, **options: Any
) -> Callable[[Any], Any]:
    """What gives the cursors of a connection spans."""
    tracing = Tracing(stock, psycopg, "postgresql", tracer_provider, Options.of(options), failed)
    sync, asynchronous = Traced(tracing, _METHODS), Traced(tracing, _ASYNC_METHODS)

    def put(connection: Any) -> Any:
        traced = asynchronous if isinstance(connection, psycopg.AsyncConnection) else sync
        for name in _FACTORIES:
            setattr(connection, name, traced(getattr(connection, name)))
        django: Any = sys.modules.get(_DJANGO)
        if django is not None and hasattr(django, "ServerSideCursor"):
            # Django makes its server-side cursors past the connection's factories.
            django.ServerSideCursor = sync(django.ServerSideCursor)
        return connection

    return put
