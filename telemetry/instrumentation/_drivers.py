"""Spans of queries: the stock instrumentors of the database drivers, without their metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from opentelemetry.instrumentation import dbapi
from opentelemetry.trace import TracerProvider, get_tracer

from telemetry.instrumentation._stock import DATABASE, DATABASE_SCHEMA, HTTP, NO_METERS, conventions, is_in

_STOCK = {"sqlite3": "SQLite3Instrumentor", "psycopg2": "Psycopg2Instrumentor", "psycopg": "PsycopgInstrumentor"}


_stock_operation_name: Callable[[Any, Any, Any], str] = dbapi.CursorTracer.get_operation_name


def _operation_name(self: Any, cursor: Any, args: Any) -> str:
    try:
        return _stock_operation_name(self, cursor, args)
    except IndexError:
        return ""


# The stock tracer raises into the application where a query is nothing but comments or blanks.
dbapi.CursorTracer.get_operation_name = _operation_name  # type: ignore[method-assign]


def instrumentor(name: str, tracer_provider: TracerProvider) -> Any:
    """An instrumentor of our own for a driver, or None where the stock one is in.

    Raises:
        ImportError: the driver or its instrumentation is not installed.
    """
    driver = import_module(name)
    stock = import_module(f"opentelemetry.instrumentation.{name}")
    base: Any = getattr(stock, _STOCK[name])
    if is_in(base):
        return None

    class Instrumentor(base):  # type: ignore[misc]
        _instance = None  # inherited, it would be the stock one

        def _instrument(self, **kwargs: Any) -> None:
            for holder, integration in _targets(name, driver, stock):
                dbapi.wrap_connect(
                    stock.__name__,
                    holder,
                    "connect",
                    "sqlite" if name == "sqlite3" else "postgresql",
                    {} if name == "sqlite3" else base._CONNECTION_ATTRIBUTES,
                    version=stock.__version__,
                    tracer_provider=tracer_provider,
                    db_api_integration_factory=_quiet(integration, base),
                )

    return Instrumentor()


def _targets(name: str, driver: Any, stock: Any) -> Iterator[tuple[Any, Any]]:
    """Where the driver's `connect` is found, and the stock integration for it."""
    if name == "sqlite3":
        yield driver, dbapi.DatabaseApiIntegration
        yield driver.dbapi2, dbapi.DatabaseApiIntegration
        return
    yield driver, stock.DatabaseApiIntegration
    if name == "psycopg":
        yield driver.Connection, stock.DatabaseApiIntegration
        yield driver.AsyncConnection, stock.DatabaseApiAsyncIntegration


def _quiet(base: Any, stock: Any) -> Any:
    """The stock integration without its metrics, in our conventions, and out of the way where the stock one is in."""

    class Integration(base):  # type: ignore[misc]
        def __init__(self, *args: Any, tracer_provider: TracerProvider, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs | {"tracer_provider": tracer_provider, "meter_provider": NO_METERS})
            self._sem_conv_opt_in_mode_db = conventions(DATABASE)
            self._sem_conv_opt_in_mode_http = conventions(HTTP)
            self._tracer = get_tracer(
                self._name, self._version, tracer_provider=tracer_provider, schema_url=DATABASE_SCHEMA
            )
            unused = NO_METERS.get_meter(__name__).create_histogram("db.client.operation.duration")
            self._duration_histogram = self._returned_rows_histogram = unused

        def wrapped_connection(self, connect_method: Callable[..., Any], args: Any, kwargs: Any) -> Any:
            if is_in(stock):
                return connect_method(*args, **kwargs)
            return super().wrapped_connection(connect_method, args, kwargs)

    return Integration
