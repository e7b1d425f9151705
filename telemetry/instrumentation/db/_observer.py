"""What is recorded about one of Django's connection wrappers."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext

from telemetry.catalogue.db import NO, YES, DbCatalogue
from telemetry.instrumentation._current import SPAN_KEY, context, sampled
from telemetry.instrumentation._exemplars import Exemplars
from telemetry.instrumentation.db._pools import Pools, has_pool
from telemetry.instrumentation.db.operations import FREQUENT, operation
from telemetry.instrumentation.guard import Bounded, Guard
from telemetry.instrumentation.underway import current
from telemetry.store import Histogram, Store

_SYSTEMS = {"postgresql": "postgresql", "sqlite": "sqlite", "mysql": "mysql", "oracle": "oracle.db"}
"""Django's vendor to the semantic conventions' `db.system.name`; any other is `other_sql`."""


OBSERVERS = "telemetry_observers"
"""Where a connection wrapper has its observers, all of which see what it executes."""


class Tables:
    """Where the observers of all connections record."""

    def __init__(self, store: Store, catalogue: DbCatalogue, guard: Guard, pools: Pools, *, limit: int) -> None:
        self.store = store
        self.guard = guard
        self.pools = pools
        self.query = store.table(catalogue.query)
        self.exemplars = Exemplars(store.table(catalogue.query_sampled))
        self.rows = store.table(catalogue.rows)
        self.connections = store.table(catalogue.connections)
        self.connection_errors = store.table(catalogue.connection_errors)
        self.error = Bounded("db.error", limit, guard)
        self.namespace = Bounded("db.namespace", limit, guard)


class Observer:
    """What is recorded about one connection wrapper."""

    def __init__(self, tables: Tables, alias: str, vendor: str) -> None:
        self._tables = tables
        self._store = tables.store
        self._query = tables.query
        self._exemplars = tables.exemplars
        self._database = (alias, vendor)
        self._labels: tuple[str, ...] = ()
        self._frequent: dict[str, Histogram] = {}
        self._name: object = self
        self._unsampled: object = INVALID_SPAN

    def attach(self, db: BaseDatabaseWrapper) -> None:
        """See what this connection wrapper executes, and when it connects."""

        def get_new_connection(params: Any) -> Any:
            start = perf_counter()
            try:
                connection = type(db).get_new_connection(db, params)
            except Exception as exc:
                self._connected(failed=True)
                if has_pool(db):
                    self._tables.pools.refused(db, exc)
                raise
            if has_pool(db):
                self._tables.pools.lent(db, perf_counter() - start)
            else:
                self._connected()
            return connection

        def configure_connection(connection: Any) -> Any:
            # The pool goes on calling this after `detach`.
            if "_configure_connection" in db.__dict__ and has_pool(db):
                self._connected()
            return type(db)._configure_connection(db, connection)  # type: ignore[attr-defined]

        db.__dict__[OBSERVERS] = (*observers_of(db), self)
        db.__dict__["get_new_connection"] = get_new_connection
        if hasattr(db, "_configure_connection"):
            db.__dict__["_configure_connection"] = configure_connection

    def detach(self, db: BaseDatabaseWrapper) -> None:
        """Leave the connection wrapper as it was found."""
        observers = tuple(each for each in observers_of(db) if each is not self)
        if observers:
            db.__dict__[OBSERVERS] = observers
        else:
            db.__dict__.pop(OBSERVERS, None)
        db.__dict__.pop("get_new_connection", None)
        db.__dict__.pop("_configure_connection", None)

    def record(
        self,
        cursor: Any,
        sql: Any,
        elapsed: float,
        rows: Callable[[], int] | None = None,
        exception: BaseException | None = None,
    ) -> None:
        """A statement of Django's `cursor` has ended, after so many seconds; `rows` are those of `executemany`."""
        try:
            if cursor.db.settings_dict["NAME"] is not self._name:
                self._relabel(cursor.db)
            series = self._frequent.get(sql[:7]) if type(sql) is str and exception is None and rows is None else None
            if series is None:
                series = self._query.histogram(self._key(cursor, sql, rows, exception))
            series.observe(elapsed)
            # Joined to the request that is underway, and to its span where that is sampled.
            request = current.get()
            if request is not None and request.store is self._store:
                request.executed(sql, elapsed)
            if request is not None and request.traced:
                span = request.span
            else:
                around = context().get(SPAN_KEY)
                span = None if around is None or around is self._unsampled else self._sampled(around)
            if span is not None:
                self._exemplars.keep(series, series.key, elapsed, span)
            if rows is not None:
                self._tables.rows.add(self._database, rows())
        except Exception as exc:  # noqa: BLE001
            self._tables.guard.failed("db.execute", exc)

    def _sampled(self, around: object) -> SpanContext | None:
        span = sampled()
        # As a rule many queries in a row are below the same one. A recording span is not to be kept from its end.
        if span is None and type(around) is NonRecordingSpan:
            self._unsampled = around
        return span

    def _key(
        self, cursor: Any, sql: Any, rows: Callable[[], int] | None, exception: BaseException | None
    ) -> tuple[str, ...]:
        name = operation(sql) if isinstance(sql, str) else operation(sql, cursor.cursor)
        error = "" if exception is None else self._tables.error(_error(exception))
        return (*self._labels, name, NO if rows is None else YES, error)

    def _relabel(self, db: BaseDatabaseWrapper) -> None:
        self._labels = (*self._database, _system(db), self._tables.namespace(_namespace(db)))
        self._frequent = {
            begin: self._query.histogram((*self._labels, name, NO, "")) for begin, name in FREQUENT.items()
        }
        self._name = db.settings_dict["NAME"]

    def _connected(self, *, failed: bool = False) -> None:
        try:
            self._tables.connections.add(self._database)
            if failed:
                self._tables.connection_errors.add(self._database)
        except Exception as exc:  # noqa: BLE001
            self._tables.guard.failed("db.connect", exc)


def observers_of(db: BaseDatabaseWrapper) -> tuple[Observer, ...]:
    """Who sees what this connection wrapper executes."""
    observers: tuple[Observer, ...] = db.__dict__.get(OBSERVERS, ())
    return observers


def _system(db: BaseDatabaseWrapper) -> str:
    # From the handshake: `mysql_is_mariadb` sends a query of its own.
    if db.vendor == "mysql" and "mariadb" in str(getattr(db.connection, "get_server_info", str)()).lower():
        return "mariadb"
    return _SYSTEMS.get(db.vendor, "other_sql")


def _namespace(db: BaseDatabaseWrapper) -> str:
    """The database's name; of a file its own name, without directories and parameters."""
    name = str(db.settings_dict["NAME"] or "")
    return name.partition("?")[0].rpartition("/")[2] if db.vendor == "sqlite" else name


def _error(exception: BaseException) -> str:
    """The driver's exception, as django-prometheus names it, where Django has wrapped one."""
    cause = exception.__cause__ if isinstance(exception, Error) else None
    return type(cause or exception).__name__
