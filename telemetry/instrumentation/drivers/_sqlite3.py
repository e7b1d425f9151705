"""Spans of SQLite's queries.

As with the stock instrumentation, those of cursors: what a connection executes by itself has none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from opentelemetry.instrumentation import dbapi
from opentelemetry.instrumentation import sqlite3 as stock
from opentelemetry.trace import TracerProvider
from wrapt import wrap_function_wrapper

from telemetry.instrumentation._in_place import InPlace
from telemetry.instrumentation.drivers._cursors import Traced, at_once
from telemetry.instrumentation.drivers._tracing import Failed, Options, Tracing, log_once

_METHODS = {"execute": at_once, "executemany": at_once}
_FACTORY = 5
"""Where `sqlite3.connect` takes the connection's class by position."""
_Stock: Any = stock.SQLite3Instrumentor


class SQLite3Instrumentor(InPlace, _Stock):  # type: ignore[misc]
    """The stock instrumentor's place and words, our cursors, and connections of a real subclass."""

    def _instrument(self, **kwargs: Any) -> None:
        traced = _traced(**kwargs)
        connection_class = lru_cache(64)(lambda base: _connection_class(base, traced))

        def connect(call: Callable[..., Any], instance: object, args: Any, kwargs: Any) -> Any:
            given = args[_FACTORY] if len(args) > _FACTORY else kwargs.get("factory", sqlite3.Connection)
            if not isinstance(given, type):
                return call(*args, **kwargs)
            if len(args) > _FACTORY:
                args = (*args[:_FACTORY], connection_class(given), *args[_FACTORY + 1 :])
            else:
                kwargs = kwargs | {"factory": connection_class(given)}
            return call(*args, **kwargs)

        for module in self._TO_WRAP:
            wrap_function_wrapper(module, "connect", connect)

    @staticmethod
    def instrument_connection(connection: Any, tracer_provider: TracerProvider | None = None) -> Any:
        """A proxy of an open connection: the queries of its cursors have spans."""
        return connection if isinstance(connection, _Proxy) else _Proxy(connection, _traced(tracer_provider))


def _traced(tracer_provider: TracerProvider | None = None, *, failed: Failed = log_once, **options: Any) -> Traced:
    return Traced(Tracing(stock, sqlite3, "sqlite", tracer_provider, Options(), failed), _METHODS)


def _connection_class(base: Any, traced: Traced) -> Any:
    class Connection(base):  # type: ignore[misc]
        def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
            return super().cursor(traced(factory))

        # The C code of these would call our `cursor`.
        def execute(self, *args: Any, **kwargs: Any) -> Any:
            return super().cursor().execute(*args, **kwargs)

        def executemany(self, *args: Any, **kwargs: Any) -> Any:
            return super().cursor().executemany(*args, **kwargs)

        def executescript(self, *args: Any, **kwargs: Any) -> Any:
            return super().cursor().executescript(*args, **kwargs)

    Connection.__name__, Connection.__qualname__ = base.__name__, base.__qualname__
    Connection.__module__ = base.__module__
    return Connection


class _Proxy(dbapi.TracedConnectionProxy[Any]):
    def __init__(self, connection: Any, traced: Traced) -> None:
        super().__init__(connection)
        self._self_traced = traced

    def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
        return self.__wrapped__.cursor(self._self_traced(factory))
