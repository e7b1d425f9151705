"""Spans of psycopg2's queries."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from opentelemetry.instrumentation import psycopg2 as stock
from opentelemetry.trace import TracerProvider
from wrapt import wrap_function_wrapper

from telemetry.instrumentation._in_place import InPlace
from telemetry.instrumentation.drivers._cursors import Traced, at_once, copied
from telemetry.instrumentation.drivers._tracing import Failed, Options, Tracing, log_once

psycopg2: Any = import_module("psycopg2")  # without types
_METHODS = {
    "execute": at_once,
    "executemany": at_once,
    "callproc": at_once,
    "copy_expert": at_once,
    "copy_from": copied,
    "copy_to": copied,
}
_Stock: Any = stock.Psycopg2Instrumentor


class Psycopg2Instrumentor(InPlace, _Stock):  # type: ignore[misc]
    """The stock instrumentor's place and words, our cursors; as there, a class given to `cursor()` has no spans."""

    def _instrument(self, **kwargs: Any) -> None:
        traced = _traced(**kwargs)

        def connect(call: Callable[..., Any], instance: object, args: Any, kwargs: Any) -> Any:
            connection = call(*args, **kwargs)
            connection.cursor_factory = traced(_factory(connection))
            return connection

        wrap_function_wrapper(psycopg2, "connect", connect)

    @staticmethod
    def instrument_connection(connection: Any, tracer_provider: TracerProvider | None = None, **options: Any) -> Any:
        """Give the queries of an open connection spans; `options` are those of `instrument()`."""
        with _Stock._INSTRUMENTED_CONNECTIONS_LOCK:
            if connection not in _Stock._INSTRUMENTED_CONNECTIONS:
                _Stock._INSTRUMENTED_CONNECTIONS[connection] = connection.cursor_factory
                connection.cursor_factory = _traced(tracer_provider, **options)(_factory(connection))
        return connection


def _traced(tracer_provider: TracerProvider | None = None, *, failed: Failed = log_once, **options: Any) -> Traced:
    return Traced(Tracing(stock, psycopg2, "postgresql", tracer_provider, Options.of(options), failed), _METHODS)


def _factory(connection: Any) -> Any:
    """The class of the cursors that this connection makes."""
    if connection.cursor_factory is not None:
        return connection.cursor_factory
    if type(connection) is psycopg2.extensions.connection:
        return psycopg2.extensions.cursor
    # A connection class may have cursors of its own (psycopg2.extras); making one is no round trip.
    try:
        return type(connection.cursor())
    except Exception:  # noqa: BLE001
        return None
