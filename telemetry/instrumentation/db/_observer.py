"""What is recorded about one of Django's connection wrappers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from time import perf_counter
from typing import Any

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError

from telemetry.catalogue.db import NO, YES, DbCatalogue
from telemetry.instrumentation.db._bulk import counted
from telemetry.instrumentation.db._pools import Pools, has_pool
from telemetry.instrumentation.db.operations import FREQUENT, operation
from telemetry.instrumentation.guard import Bounded, Guard
from telemetry.instrumentation.underway import current, exemplar
from telemetry.store import Store

_SYSTEMS = {"postgresql": "postgresql", "sqlite": "sqlite", "mysql": "mysql", "oracle": "oracle.db"}
"""Django's vendor to the semantic conventions' `db.system.name`; any other is `other_sql`."""


class Tables:
    """Where the observers of all connections record."""

    def __init__(self, store: Store, catalogue: DbCatalogue, guard: Guard, pools: Pools, *, limit: int) -> None:
        self.store = store
        self.guard = guard
        self.pools = pools
        self.query = store.table(catalogue.query)
        self.query_sampled = store.table(catalogue.query_sampled)
        self.rows = store.table(catalogue.rows)
        self.connections = store.table(catalogue.connections)
        self.connection_errors = store.table(catalogue.connection_errors)
        self.error = Bounded("db.error", limit, guard)
        self.namespace = Bounded("db.namespace", limit, guard)


class Wrappers(list[Any]):
    """A connection's execute wrappers, and ours next to the driver however many the application puts around.

    Django builds the call from `reversed()` and otherwise appends and pops: so ours are no members,
    and what an application's wrapper refuses, repeats or answers by itself is counted as it was executed.
    """

    def __init__(self, wrappers: Iterable[Any]) -> None:
        super().__init__(wrappers)
        self.observers: tuple[Observer, ...] = ()
        self._ours: tuple[Any, ...] = ()

    def put(self, observers: tuple[Observer, ...]) -> None:
        """Have these observers, and no others."""
        self.observers = observers
        self._ours = tuple(observer.execute for observer in observers)

    def __reversed__(self) -> Iterator[Any]:
        return chain(self._ours, super().__reversed__()) if self else iter(self._ours)


class Observer:
    """What is recorded about one connection wrapper."""

    def __init__(self, tables: Tables, alias: str, vendor: str) -> None:
        self._tables = tables
        self._observe = tables.query.observe
        self._database = (alias, vendor)
        self._labels: tuple[str, ...] = ()
        self._frequent: dict[str, tuple[str, ...]] = {}
        self._name: object = self

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

        if not isinstance(db.execute_wrappers, Wrappers):
            db.execute_wrappers = Wrappers(db.execute_wrappers)
        db.execute_wrappers.put((*db.execute_wrappers.observers, self))
        db.__dict__["get_new_connection"] = get_new_connection
        if hasattr(db, "_configure_connection"):
            db.__dict__["_configure_connection"] = configure_connection

    def detach(self, db: BaseDatabaseWrapper) -> None:
        """Leave the connection wrapper as it was found."""
        wrappers = db.execute_wrappers
        if isinstance(wrappers, Wrappers):
            wrappers.put(tuple(each for each in wrappers.observers if each is not self))
            if not wrappers.observers:
                db.execute_wrappers = list(wrappers)
        db.__dict__.pop("get_new_connection", None)
        db.__dict__.pop("_configure_connection", None)

    def execute(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """Django's execute wrapper: https://docs.djangoproject.com/en/5.2/topics/db/instrumentation/"""
        rows = None
        if many:
            params, rows = counted(params)
        start = perf_counter()
        try:
            result = execute(sql, params, many, context)
        except BaseException as exc:
            # Django refuses a statement in a broken transaction before it gets to the driver.
            if not isinstance(exc, TransactionManagementError):
                self.record(start, sql, rows, context, exc)
            raise
        self.record(start, sql, rows, context, None)
        return result

    def record(
        self,
        start: float,
        sql: Any,
        rows: Callable[[], int] | None,
        context: dict[str, Any],
        exception: BaseException | None,
    ) -> None:
        """A statement has ended that began at `start` (`perf_counter`); `rows` are those of `executemany`."""
        try:
            elapsed = perf_counter() - start
            db = context["connection"]
            if db.settings_dict["NAME"] is not self._name:
                self._relabel(db)
            if exception is None and rows is None and type(sql) is str and (key := self._frequent.get(sql[:7])):
                self._observe(key, elapsed)
                self._joined(key, sql, elapsed)
                return
            name = operation(sql) if isinstance(sql, str) else operation(sql, context["cursor"].cursor)
            error = "" if exception is None else self._tables.error(_error(exception))
            key = (*self._labels, name, NO if rows is None else YES, error)
            self._observe(key, elapsed)
            self._joined(key, sql, elapsed)
            if rows is not None:
                self._tables.rows.add(self._database, rows())
        except Exception as exc:  # noqa: BLE001
            self._tables.guard.failed("db.execute", exc)

    def _joined(self, key: tuple[str, ...], sql: Any, elapsed: float) -> None:
        """Join what was recorded to the request that is underway, and to its span where that is sampled."""
        request = current.get()
        if request is not None:
            if request.store is self._tables.store:
                request.executed(sql, elapsed)
            if request.traced and request.span is None:
                return
        kept = exemplar(elapsed)
        if kept is not None:
            self._tables.query_sampled.observe(key, elapsed, kept)

    def _relabel(self, db: BaseDatabaseWrapper) -> None:
        self._labels = (*self._database, _system(db), self._tables.namespace(_namespace(db)))
        self._frequent = {begin: (*self._labels, name, NO, "") for begin, name in FREQUENT.items()}
        self._name = db.settings_dict["NAME"]

    def _connected(self, *, failed: bool = False) -> None:
        try:
            self._tables.connections.add(self._database)
            if failed:
                self._tables.connection_errors.add(self._database)
        except Exception as exc:  # noqa: BLE001
            self._tables.guard.failed("db.connect", exc)


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
