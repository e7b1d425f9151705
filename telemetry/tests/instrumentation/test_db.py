from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.db import DEFAULT_DB_ALIAS, IntegrityError, OperationalError, ProgrammingError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.transaction import TransactionManagementError
from django.db.utils import ConnectionHandler

from telemetry.instrumentation.db import operation
from telemetry.store import MemoryStore
from telemetry.tests.instrumentation.recording import Recording

EXECUTE = "django_db_execute_total"
MANY = "django_db_execute_many_total"
ERRORS = "django_db_errors_total"
NEW = "django_db_new_connections_total"
FAILED = "django_db_new_connection_errors_total"
DURATION = "db_client_operation_duration_seconds"
MAIN = ("default", "sqlite")


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[ConnectionHandler]:
    """Two SQLite databases of this test; the second one cannot be opened."""
    handler = ConnectionHandler(
        {
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "main.sqlite3")},
            "broken": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "none" / "x.sqlite3")},
        }
    )
    yield handler
    for db in handler.all(initialized_only=True):
        # not by Django's close(), which keeps what it takes for an in-memory database
        if db.connection is not None:
            db.connection.close()


def run(db: Any, sql: str, params: Any = None) -> None:
    with db.cursor() as cursor:
        cursor.execute(sql, params)


def run_many(db: Any, sql: str, params: Any) -> None:
    with db.cursor() as cursor:
        cursor.executemany(sql, params)


class TestOperation:
    @pytest.mark.parametrize(
        ("sql", "expected"),
        [
            ("SELECT 1", "SELECT"),
            ("SELECT\n1", "SELECT"),
            ("select 1", "SELECT"),
            ("  \n\tInsert into t", "INSERT"),
            ("((SELECT 1) UNION (SELECT 2))", "SELECT"),
            ("-- one\n-- two\nUPDATE t", "UPDATE"),
            ("/* a */ /* b\n */DELETE FROM t", "DELETE"),
            ("# mysql\nSHOW TABLES", "SHOW"),
            ("WITH a AS (SELECT 1) SELECT 2", "WITH"),
            ("SELECTED", "_OTHER"),
            ("FROBNICATE t", "_OTHER"),
            ("", "_OTHER"),
            ("/* never closed SELECT", "_OTHER"),
            ("/**/" * 5000 + "1", "_OTHER"),
            ("(" * 100_000, "_OTHER"),
            (" " * 5000 + "1", "_OTHER"),
            (b"DELETE FROM t", "DELETE"),
            (None, "_OTHER"),
        ],
    )
    def test_is_the_first_keyword(self, sql: object, expected: str) -> None:
        assert expected == operation(sql)

    def test_of_a_composed_statement(self) -> None:
        from psycopg import sql

        assert "INSERT" == operation(sql.SQL("INSERT INTO {} VALUES (1)").format(sql.Identifier("t")))


class TestStatements:
    def test_are_counted_by_operation(self, recording: Recording, databases: ConnectionHandler) -> None:
        db = databases["default"]
        run(db, "CREATE TABLE t (v text)")
        run(db, "INSERT INTO t VALUES (%s)", ["private"])
        run(db, "-- why\n select v from t where v = 'private'")
        expected = {("default", "main.sqlite3", name, "sqlite", ""): 1 for name in ("CREATE", "INSERT", "SELECT")}
        assert expected == recording.values(DURATION)
        assert 3 == recording.value(EXECUTE, *MAIN)
        assert 3 == recording.value("django_db_query_duration_seconds", *MAIN)
        assert "private" not in repr(recording.store.read())

    @pytest.mark.parametrize(
        "make",
        [list, tuple, iter, lambda rows: (row for row in rows)],
        ids=["list", "tuple", "iterator", "generator"],
    )
    def test_bulk(self, recording: Recording, databases: ConnectionHandler, make: Callable[[Any], Any]) -> None:
        db = databases["default"]
        run(db, "CREATE TABLE t (v integer)")
        run_many(db, "INSERT INTO t VALUES (%s)", make([(1,), (2,), (3,)]))
        with db.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM t")
            assert (3,) == cursor.fetchone()
        assert 3 == recording.value(MANY, *MAIN)
        assert 5 == recording.value(EXECUTE, *MAIN)
        assert 1 == recording.value(DURATION, "default", "main.sqlite3", "INSERT", "sqlite", "")

    def test_bulk_with_nothing_to_iterate_is_the_drivers_matter(
        self, recording: Recording, databases: ConnectionHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(CursorWrapper, "_executemany", lambda self, sql, params, *rest: params)
        nothing = cast(Any, None)
        with databases["default"].cursor() as cursor:
            assert cursor.executemany("INSERT INTO t VALUES (%s)", nothing) is None
        assert 1 == recording.value("django_db_query_duration_seconds", *MAIN)
        assert 0 == recording.value(MANY, *MAIN)

    def test_a_generator_that_fails_half_way(self, recording: Recording, databases: ConnectionHandler) -> None:
        def rows() -> Iterator[tuple[int]]:
            yield (1,)
            raise KeyError("no more")

        db = databases["default"]
        run(db, "CREATE TABLE t (v integer)")
        with pytest.raises(KeyError):
            run_many(db, "INSERT INTO t VALUES (%s)", rows())
        assert 1 == recording.value(MANY, *MAIN)
        assert {("default", "KeyError", "sqlite"): 1} == recording.values(ERRORS)

    def test_errors(self, recording: Recording, databases: ConnectionHandler) -> None:
        db = databases["default"]
        run(db, "CREATE TABLE t (v integer UNIQUE)")
        run(db, "INSERT INTO t VALUES (1)")
        for expected, sql in ((IntegrityError, "INSERT INTO t VALUES (1)"), (OperationalError, "SELECT 1 FROM none")):
            with pytest.raises(expected):
                run(db, sql)
        assert {("default", "IntegrityError", "sqlite"): 1, ("default", "OperationalError", "sqlite"): 1} == (
            recording.values(ERRORS)
        )
        assert 4 == recording.value(EXECUTE, *MAIN)
        assert 1 == recording.value(DURATION, "default", "main.sqlite3", "INSERT", "sqlite", "IntegrityError")

    def test_an_error_has_the_drivers_name(
        self, recording: Recording, databases: ConnectionHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class UniqueViolation(Exception):
            pass

        def fail(*args: Any) -> None:
            raise IntegrityError from UniqueViolation()

        monkeypatch.setattr(CursorWrapper, "_execute", fail)
        with pytest.raises(IntegrityError):
            run(databases["default"], "INSERT INTO t VALUES (1)")
        assert {("default", "UniqueViolation", "sqlite"): 1} == recording.values(ERRORS)

    def test_one_that_django_refuses_was_not_executed(self, recording: Recording, databases: ConnectionHandler) -> None:
        db = databases["default"]
        run(db, "SELECT 1")
        db.in_atomic_block = db.needs_rollback = True
        try:
            with pytest.raises(TransactionManagementError):
                run(db, "SELECT 2")
        finally:
            db.in_atomic_block = db.needs_rollback = False
        assert 1 == recording.value(EXECUTE, *MAIN)
        assert {} == recording.values(ERRORS)


class TestUsersWrappers:
    """https://docs.djangoproject.com/en/5.2/topics/db/instrumentation/"""

    def test_one_outlives_a_connection_made_within_it(self, recording: Recording, databases: ConnectionHandler) -> None:
        seen: list[str] = []

        def user(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            seen.append(sql)
            return execute(sql, *rest)

        with databases["default"].execute_wrapper(user):
            databases["default"].close()
            run(databases["default"], "SELECT 1")
            with closing(databases["default"].copy()) as copy:
                run(copy, "SELECT 2")
        run(databases["default"], "SELECT 3")
        assert ["SELECT 1"] == seen
        assert 3 == recording.value(EXECUTE, *MAIN)

    def test_what_the_driver_executed_counts(self, recording: Recording, databases: ConnectionHandler) -> None:
        """Of three wrappers one inside another: refused, answered without the driver, tried again, changed."""

        def user(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            if sql == "refuse":
                raise ValueError(sql)
            if sql == "answer":
                return None
            if sql == "SELECT 1":
                execute(sql, *rest)
            return execute("DELETE FROM t" if sql == "change" else sql, *rest)

        def outer(execute: Callable[..., Any], *args: Any) -> Any:
            return execute(*args)

        db = databases["default"]
        run(db, "CREATE TABLE t (v integer)")
        executed: list[str] = []
        db.connection.set_trace_callback(executed.append)
        with db.execute_wrapper(outer), db.execute_wrapper(user), db.execute_wrapper(outer):
            with pytest.raises(ValueError, match="refuse"):
                run(db, "refuse")
            for sql in ("answer", "SELECT 1", "change"):
                run(db, sql)
        assert ["SELECT 1", "SELECT 1", "DELETE FROM t"] == executed
        expected = {"CREATE": 1, "SELECT": 2, "DELETE": 1}
        assert expected == {labels[2]: count for labels, count in recording.values(DURATION).items()}
        assert {} == recording.values(ERRORS)

    def test_the_list_holds_only_theirs(self, recording: Recording, databases: ConnectionHandler) -> None:
        def user(execute: Callable[..., Any], *args: Any) -> Any:
            return execute(*args)

        with databases["default"].execute_wrapper(user):
            assert [user] == databases["default"].execute_wrappers
        assert [] == databases["default"].execute_wrappers


class TestLabels:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            (":memory:", ":memory:"),
            (Path("/srv/private/db.sqlite3"), "db.sqlite3"),
            ("file:memorydb_default?mode=memory&cache=shared", "file:memorydb_default"),
        ],
    )
    def test_a_files_directory_stays_private(
        self, recording: Recording, databases: ConnectionHandler, name: Any, expected: str
    ) -> None:
        db = databases["default"]
        run(db, "SELECT 1")
        db.settings_dict["NAME"] = name
        run(db, "SELECT 2")
        assert 1 == recording.value(DURATION, "default", expected, "SELECT", "sqlite", "")

    @pytest.mark.parametrize(
        ("vendor", "server", "expected"),
        [
            ("postgresql", None, "postgresql"),
            ("oracle", None, "oracle.db"),
            ("mysql", None, "mysql"),
            ("mysql", "8.0.36", "mysql"),
            ("mysql", "5.5.5-10.11.6-MariaDB-1", "mariadb"),
            ("homemade", None, "other_sql"),
        ],
    )
    def test_systems(
        self, recording: Recording, databases: ConnectionHandler, vendor: str, server: str | None, expected: str
    ) -> None:
        made = type("Wrapper", (DatabaseWrapper,), {"vendor": vendor})
        db = made({**databases["default"].settings_dict, "NAME": "main"}, "default")
        if server:
            db.connection = SimpleNamespace(get_server_info=lambda: server)
        CursorWrapper(SimpleNamespace(execute=lambda *args: None), db).execute("SELECT 1")
        system = {labels[3] for labels in recording.values(DURATION)}
        assert {expected} == system


class TestConnections:
    def test_each_is_counted(self, recording: Recording, databases: ConnectionHandler) -> None:
        for _ in range(3):
            run(databases["default"], "SELECT 1")
            databases["default"].close()
        assert {MAIN: 3} == recording.values(NEW)
        assert {} == recording.values(FAILED)

    def test_a_failure_is_counted_as_both(self, recording: Recording, databases: ConnectionHandler) -> None:
        with pytest.raises(OperationalError):
            run(databases["broken"], "SELECT 1")
        assert {("broken", "sqlite"): 1} == recording.values(NEW)
        assert {("broken", "sqlite"): 1} == recording.values(FAILED)
        assert {} == recording.values(EXECUTE)


class TestInstallation:
    def test_sees_connections_of_any_thread_and_time(self, databases: ConnectionHandler) -> None:
        """Those made before by this thread and by another, those made later by both, and copies."""
        run(databases["default"], "SELECT 1")
        ready, go = threading.Event(), threading.Event()

        def work() -> None:
            run(databases["default"], "SELECT 1")
            ready.set()
            go.wait(10)
            run(databases["default"], "SELECT 2")
            databases["default"].close()

        old = threading.Thread(target=work)
        old.start()
        ready.wait(10)
        with Recording() as recording:
            go.set()
            old.join()
            assert 1 == recording.value(EXECUTE, *MAIN), "another thread's"
            new = threading.Thread(target=work)
            new.start()
            new.join()
            assert 3 == recording.value(EXECUTE, *MAIN), "a new thread's"
            copy = databases["default"].copy()
            run(copy, "SELECT 1")
            copy.close()
            assert 4 == recording.value(EXECUTE, *MAIN), "a copy"

    def test_sees_the_projects_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(threading, "active_count", lambda: 1)
        db = connections[DEFAULT_DB_ALIAS]
        with Recording() as recording:
            run(db, "SELECT 1")
            assert 1 == recording.value(EXECUTE, db.alias, db.vendor)

    def test_twice_is_once(self, recording: Recording, databases: ConnectionHandler) -> None:
        recording.db.install()
        run(databases["default"], "SELECT 1")
        recording.db.install()
        run(databases["default"], "SELECT 1")
        assert 2 == recording.value(EXECUTE, *MAIN)
        assert {MAIN: 1} == recording.values(NEW)

    def test_uninstalled_leaves_nothing_behind(
        self, databases: ConnectionHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(threading, "active_count", lambda: 2)
        init = BaseDatabaseWrapper.__init__
        wrappers = list(databases["default"].execute_wrappers)
        with Recording() as recording:
            recording.db.install()
            run(databases["default"], "SELECT 1")
        assert BaseDatabaseWrapper.__init__ is init
        assert wrappers == databases["default"].execute_wrappers
        databases["default"].close()
        run(databases["default"], "SELECT 2")
        with closing(databases["default"].copy()) as copy:
            run(copy, "SELECT 3")
        assert 1 == recording.value(EXECUTE, *MAIN)
        assert {MAIN: 1} == recording.values(NEW)

    def test_the_backends_class_can_be_replaced_by_a_test(
        self, recording: Recording, databases: ConnectionHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(self: Any, params: Any) -> Any:
            raise ProgrammingError("refused")

        db = databases["default"]
        monkeypatch.setattr(DatabaseWrapper, "get_new_connection", refuse)
        with pytest.raises(ProgrammingError, match="refused"):
            run(db, "SELECT 1")
        assert {MAIN: 1} == recording.values(FAILED)


class _BrokenStore(MemoryStore):
    def bind(self, table: Any, key: Any) -> int:
        if table.layout.name.startswith("db."):
            raise OSError("no space left")
        return super().bind(table, key)


class TestGuard:
    def test_a_store_that_fails_harms_nobody(self, databases: ConnectionHandler) -> None:
        with Recording(_BrokenStore()) as recording:
            db = databases["default"]
            run(db, "CREATE TABLE t (v integer)")
            run_many(db, "INSERT INTO t VALUES (%s)", iter([(1,), (2,)]))
            with pytest.raises(OperationalError):
                run(db, "SELECT 1 FROM none")
            assert {("db.connect",): 1, ("db.execute",): 3} == recording.values("telemetry_dropped_total")
