"""What connections and statements leave in the store, for every engine, without a change of `ENGINE`.

Statements are seen by one of Django's own execute wrappers, the outermost of each connection;
connecting is seen around the backend's `get_new_connection`, or, with Django's pool for PostgreSQL,
where the pool has a connection that it opened configured. COPY and driver cursors used past
Django are not seen.
"""

from __future__ import annotations

import gc
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from time import perf_counter
from typing import Any
from weakref import WeakKeyDictionary

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError

from telemetry.catalogue.db import NO, YES, DbCatalogue
from telemetry.instrumentation.guard import Bounded, Guard
from telemetry.store import Store

_SYSTEMS = {"postgresql": "postgresql", "sqlite": "sqlite", "mysql": "mysql", "oracle": "oracle.db"}
"""Django's vendor to the semantic conventions' `db.system.name`; any other is `other_sql`."""

_WORDS = """
    SELECT INSERT UPDATE DELETE MERGE REPLACE WITH VALUES TABLE CALL DO EXECUTE PREPARE DEALLOCATE EXPLAIN
    BEGIN START COMMIT END ROLLBACK SAVEPOINT RELEASE LOCK SET RESET SHOW DISCARD USE PRAGMA
    CREATE ALTER DROP TRUNCATE RENAME COMMENT GRANT REVOKE ANALYZE VACUUM REINDEX CLUSTER REFRESH OPTIMIZE
    DECLARE FETCH MOVE CLOSE COPY LISTEN UNLISTEN NOTIFY ATTACH DETACH DESCRIBE FLUSH
"""
OPERATIONS = frozenset(_WORDS.split())
"""The values of `db_operation_name`; any other first word is `_OTHER`."""

_FREQUENT = {f"{name}{gap}": name for name in ("SELECT", "INSERT", "UPDATE", "DELETE") for gap in " \n"}
# Atomic groups: a statement that begins with many comments costs no backtracking.
_FIRST_WORD = re.compile(r"(?>(?:\s+|--[^\n]*|#[^\n]*|/\*(?>.*?\*/)|\()*)([A-Za-z]+)", re.DOTALL)


def operation(sql: object, cursor: object = None) -> str:
    """The first keyword of a statement in capitals, after comments and parentheses; from a closed set.

    `cursor` is the driver's, needed where the statement is a composed one (`psycopg.sql`).
    """
    text = sql if isinstance(sql, str) else _text(sql, cursor)
    found = _FREQUENT.get(text[:7])
    if found is not None:
        return found
    match = _FIRST_WORD.match(text)
    word = match[1].upper() if match else ""
    return word if word in OPERATIONS else "_OTHER"


def _text(sql: Any, cursor: object) -> str:
    if isinstance(sql, bytes):
        return sql.decode("latin-1")
    as_string = getattr(sql, "as_string", None)
    return str(sql if as_string is None else as_string(cursor))


class DbInstrumentation:
    """Records statements and connections from `install()` to `uninstall()`.

    `limit` is how many values a process records of a label that settings or drivers make.
    """

    def __init__(self, store: Store, catalogue: DbCatalogue, guard: Guard, *, limit: int = 1000) -> None:
        self.guard = guard
        self.query = store.table(catalogue.query)
        self.rows = store.table(catalogue.rows)
        self.connections = store.table(catalogue.connections)
        self.connection_errors = store.table(catalogue.connection_errors)
        self.error = Bounded("db.error", limit, guard)
        self.namespace = Bounded("db.namespace", limit, guard)
        self._observers: WeakKeyDictionary[BaseDatabaseWrapper, _Observer] = WeakKeyDictionary()
        self._original: Any = None
        self._replacement: Any = None

    def install(self) -> None:
        """See every connection wrapper: those that exist, in any thread, and those to come. Idempotent."""
        if self._replacement is not None:
            return
        original = self._original = BaseDatabaseWrapper.__init__

        @wraps(original)
        def init(db: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> None:
            original(db, *args, **kwargs)
            self._attach(db)

        # The one place that every wrapper passes: `connections` of any thread, copies, and those
        # that Django makes beside them (`_nodb_cursor`).
        self._replacement = init
        BaseDatabaseWrapper.__init__ = self._replacement  # type: ignore[method-assign]
        for db in _existing():
            self._attach(db)

    def uninstall(self) -> None:
        """Leave every connection wrapper as it was found. Idempotent."""
        if self._replacement is None:
            return
        if BaseDatabaseWrapper.__init__ is self._replacement:
            BaseDatabaseWrapper.__init__ = self._original  # type: ignore[method-assign]
        self._replacement = self._original = None
        for db, observer in list(self._observers.items()):
            observer.detach(db)
        self._observers.clear()

    def _attach(self, db: BaseDatabaseWrapper) -> None:
        try:
            if self._replacement is not None and db not in self._observers:
                self._observers[db] = observer = _Observer(self, db.alias, db.vendor)
                observer.attach(db)
        except Exception as exc:  # noqa: BLE001
            self.guard.failed("db.attach", exc)


class _Observer:
    """What is recorded about one connection wrapper."""

    def __init__(self, owner: DbInstrumentation, alias: str, vendor: str) -> None:
        self._owner = owner
        self._observe = owner.query.observe
        self._database = (alias, vendor)
        self._labels = (alias, vendor, "", "")
        self._name: object = self

    def attach(self, db: BaseDatabaseWrapper) -> None:
        def get_new_connection(params: Any) -> Any:
            try:
                connection = type(db).get_new_connection(db, params)
            except Exception:
                self._connected(db, failed=True)
                raise
            self._connected(db)
            return connection

        def configure_connection(connection: Any) -> Any:
            # The pool goes on calling this after `detach`.
            if "_configure_connection" in db.__dict__:
                self._connected(db, by_pool=True)
            return type(db)._configure_connection(db, connection)  # type: ignore[attr-defined]

        # First, so outermost: were it the last, a connection opened inside a user's
        # `execute_wrapper` block would lose ours instead of theirs at the block's end.
        db.execute_wrappers.insert(0, self.execute)
        db.__dict__["get_new_connection"] = get_new_connection
        if hasattr(db, "_configure_connection"):
            db.__dict__["_configure_connection"] = configure_connection

    def detach(self, db: BaseDatabaseWrapper) -> None:
        if self.execute in db.execute_wrappers:
            db.execute_wrappers.remove(self.execute)
        db.__dict__.pop("get_new_connection", None)
        db.__dict__.pop("_configure_connection", None)

    def execute(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """Django's execute wrapper: https://docs.djangoproject.com/en/5.2/topics/db/instrumentation/"""
        rows = None
        if many:
            params, rows = _counted(params)
        start = perf_counter()
        try:
            result = execute(sql, params, many, context)
        except BaseException as exc:
            # Django refuses a statement in a broken transaction before it gets to the driver.
            if not isinstance(exc, TransactionManagementError):
                self._record(start, sql, rows, context, exc)
            raise
        self._record(start, sql, rows, context, None)
        return result

    def _record(
        self,
        start: float,
        sql: Any,
        rows: Callable[[], int] | None,
        context: dict[str, Any],
        exception: BaseException | None,
    ) -> None:
        try:
            elapsed = perf_counter() - start
            db = context["connection"]
            if db.settings_dict["NAME"] is not self._name:
                self._labels = (*self._database, _system(db), self._owner.namespace(_namespace(db)))
                self._name = db.settings_dict["NAME"]
            name = operation(sql) if isinstance(sql, str) else operation(sql, context["cursor"].cursor)
            error = "" if exception is None else self._owner.error(_error(exception))
            self._observe((*self._labels, name, NO if rows is None else YES, error), elapsed)
            if rows is not None:
                self._owner.rows.add(self._database, rows())
        except Exception as exc:  # noqa: BLE001
            self._owner.guard.failed("db.execute", exc)

    def _connected(self, db: BaseDatabaseWrapper, *, failed: bool = False, by_pool: bool = False) -> None:
        try:
            if not failed and by_pool != _has_pool(db):
                return
            self._owner.connections.add(self._database)
            if failed:
                self._owner.connection_errors.add(self._database)
        except Exception as exc:  # noqa: BLE001
            self._owner.guard.failed("db.connect", exc)


def _existing() -> Iterable[BaseDatabaseWrapper]:
    found = list(connections.all(initialized_only=True))
    if threading.active_count() > 1:
        # `connections` shows each thread its own; `type()`, for isinstance would wake lazy objects.
        found += [thing for thing in gc.get_objects() if issubclass(type(thing), BaseDatabaseWrapper)]
    return found


def _has_pool(db: BaseDatabaseWrapper) -> bool:
    """Whether Django's pool opens the connections and lends them; it, or Django without it, configures each once."""
    return bool(db.settings_dict["OPTIONS"].get("pool")) and hasattr(db, "_configure_connection")


def _counted(params: Any) -> tuple[Any, Callable[[], int]]:
    """The parameter sets, and how many were given once the statement has ended; an iterator is not consumed."""
    if hasattr(params, "__len__"):
        return params, params.__len__
    if not hasattr(params, "__iter__"):
        return params, int
    counter = _Counter(iter(params))
    return counter, lambda: counter.taken


class _Counter:
    def __init__(self, params: Iterator[Any]) -> None:
        self._params = params
        self.taken = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        taken = next(self._params)
        self.taken += 1
        return taken


def _system(db: BaseDatabaseWrapper) -> str:
    # Only what Django has already asked: `mysql_is_mariadb` itself may send a query.
    known = db.__dict__.get("mysql_server_data")
    if known and "mariadb" in str(known.get("version", "")).lower():
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
