from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import ConnectionHandler
from django.test import override_settings
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from telemetry.catalogue.migrations import migration_catalogue
from telemetry.catalogue.own import DROPPED
from telemetry.instrumentation import migrations
from telemetry.instrumentation.guard import Guard
from telemetry.instrumentation.migrations import MigrationInstrumentation
from telemetry.projections import evaluate_all
from telemetry.store import MemoryStore
from telemetry.tests.servers.harness import free_port

UNAPPLIED, APPLIED = "django_migrations_unapplied_total", "django_migrations_applied_total"


class Lookup:
    """An instrumentation on a store of its own."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.store = MemoryStore()
        self.catalogue = migration_catalogue()
        self.instrumentation = MigrationInstrumentation(self.store, self.catalogue, Guard(self.store), enabled=enabled)

    def shown(self) -> dict[str, dict[str, float]]:
        """By family, the value of each alias."""
        families = evaluate_all(self.catalogue.projections, self.store.read())
        return {
            found.family.name: {labels[0][1]: value for labels, value in found.series}  # type: ignore[misc]
            for found in families
        }

    def failures(self) -> dict[tuple[object, ...], float]:
        table = self.store.read().tables.get(DROPPED.name)
        return {key: cells[0] for key, cells in table.series().items()} if table else {}


@pytest.fixture(autouse=True)
def apps_with_migrations() -> Iterator[None]:
    with override_settings(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"]):
        yield


@pytest.fixture
def databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectionHandler]:
    """`default` is migrated, `other` is empty."""
    with databases_of(monkeypatch, {name: sqlite(tmp_path / f"{name}.sqlite3") for name in ("default", "other")}):
        migrate("default")
        yield connections


@contextmanager
def databases_of(monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]) -> Iterator[None]:
    """Other databases in Django's one handler, for all threads: the ORM asks no other one."""
    handler = ConnectionHandler(given)
    with monkeypatch.context() as patch:
        patch.setattr(connections, "settings", handler.settings)
        patch.setattr(connections, "_connections", handler._connections)  # type: ignore[attr-defined]
        yield
        for alias in given:
            with suppress(ImproperlyConfigured):
                connections[alias].close()


def sqlite(path: Path) -> dict[str, Any]:
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    found = Gate()
    connect = DatabaseWrapper.get_new_connection

    def get_new_connection(db: DatabaseWrapper, params: Any) -> Any:
        if threading.current_thread().name == "telemetry-migrations":
            found.asked.set()
            assert found.opened.wait(30)
        return connect(db, params)

    monkeypatch.setattr(DatabaseWrapper, "get_new_connection", get_new_connection)
    yield found
    found.opened.set()


class Gate:
    """A database that does not answer our thread until the gate is opened."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.opened = threading.Event()


def migrate(alias: str, *targets: tuple[str, str | None]) -> None:
    executor = MigrationExecutor(connections[alias])
    executor.migrate(list(targets) or executor.loader.graph.leaf_nodes())


def existing() -> int:
    return len(MigrationExecutor(connections["default"]).loader.disk_migrations)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "telemetry-migrations"]


def ask_and_wait(lookup: Lookup) -> None:
    lookup.instrumentation.ask()
    for thread in threads():
        thread.join(30)
        assert not thread.is_alive()


class TestFamilies:
    def test_are_those_of_the_contract(self) -> None:
        families = [projection.family for projection in migration_catalogue().projections]
        assert [
            (UNAPPLIED, "gauge", "Count of unapplied migrations by database connection", ("connection",)),
            (APPLIED, "gauge", "Count of applied migrations by database connection", ("connection",)),
        ] == [(family.name, family.type.value, family.help, family.labels) for family in families]

    def test_stand_without_samples_until_somebody_looks(self) -> None:
        assert {UNAPPLIED: {}, APPLIED: {}} == Lookup().shown()


class TestRefresh:
    def test_counts_by_database(self, databases: ConnectionHandler) -> None:
        lookup, every = Lookup(), existing()
        lookup.instrumentation.refresh()
        assert every > 10
        assert {UNAPPLIED: {"default": 0, "other": every}, APPLIED: {"default": every, "other": 0}} == lookup.shown()
        assert {} == lookup.failures()

    def test_works_where_scrapes_do_not_ask(self, databases: ConnectionHandler) -> None:
        lookup = Lookup(enabled=False)
        lookup.instrumentation.refresh()
        assert {"default", "other"} == set(lookup.shown()[APPLIED])

    def test_sees_what_has_changed(self, databases: ConnectionHandler) -> None:
        lookup, every = Lookup(), existing()
        lookup.instrumentation.refresh()
        migrate("other")
        migrate("default", ("auth", "0003_alter_user_email_max_length"))
        lookup.instrumentation.refresh()
        left = sum(
            name > "0004" and app == "auth" for app, name in MigrationExecutor(connections["other"]).loader.graph.nodes
        )
        assert left > 0
        assert {
            UNAPPLIED: {"default": left, "other": 0},
            APPLIED: {"default": every - left, "other": every},
        } == lookup.shown()

    def test_builds_the_graph_once_for_each_state(
        self, databases: ConnectionHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        built: list[str] = []
        build = MigrationExecutor.__init__

        def init(executor: MigrationExecutor, connection: Any) -> None:
            built.append(connection.alias)
            build(executor, connection)

        monkeypatch.setattr(MigrationExecutor, "__init__", init)
        lookup = Lookup()
        lookup.instrumentation.refresh()
        lookup.instrumentation.refresh()
        assert ["default", "other"] == built

    def test_leaves_out_the_database_of_a_project_without_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        lookup = Lookup()
        with databases_of(monkeypatch, {}):
            lookup.instrumentation.refresh()
        assert {UNAPPLIED: {}, APPLIED: {}} == lookup.shown()
        assert {} == lookup.failures()

    def test_keeps_the_last_value_of_a_database_that_is_down(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        down = {"ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": free_port(), "NAME": "x"}
        lookup = Lookup()
        lookup.instrumentation.record("default", 3, 4)
        unknown = {"ENGINE": "telemetry.tests.nowhere"}
        given = {"default": down, "unknown": unknown, "up": sqlite(tmp_path / "up.sqlite3")}
        with databases_of(monkeypatch, given):
            migrate("up")
            lookup.instrumentation.refresh()
            lookup.instrumentation.refresh()
        assert {"default": 3, "up": 0} == lookup.shown()[UNAPPLIED]
        assert {("migrations.refresh",): 4} == lookup.failures()
        assert 1 == sum("migrations.refresh" in record.message for record in caplog.records)


class TestAsk:
    def test_waits_for_no_database(self, databases: ConnectionHandler, gate: Gate) -> None:
        lookup = Lookup()
        lookup.instrumentation.record("default", 7, 7)
        lookup.instrumentation.ask()  # would not return before the gate is opened if it waited
        assert gate.asked.wait(30)
        assert {"default": 7} == lookup.shown()[UNAPPLIED]
        gate.opened.set()
        ask_and_wait(lookup)
        assert {"default": 0, "other": existing()} == lookup.shown()[UNAPPLIED]

    def test_asks_one_at_a_time(
        self, databases: ConnectionHandler, gate: Gate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(migrations, "SECONDS", 0.0)
        lookup = Lookup()
        for _ in range(5):
            lookup.instrumentation.ask()
        assert 1 == len(threads())
        gate.opened.set()
        ask_and_wait(lookup)

    def test_shows_a_later_scrape_what_has_changed(
        self, databases: ConnectionHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(migrations, "SECONDS", 0.0)
        lookup = Lookup()
        ask_and_wait(lookup)
        migrate("other")
        ask_and_wait(lookup)
        assert {"default": 0, "other": 0} == lookup.shown()[UNAPPLIED]

    def test_does_not_ask_again_at_once(self, databases: ConnectionHandler) -> None:
        lookup = Lookup()
        ask_and_wait(lookup)
        lookup.instrumentation.ask()
        assert [] == threads()

    def test_does_nothing_where_it_is_off(self, databases: ConnectionHandler) -> None:
        lookup = Lookup(enabled=False)
        lookup.instrumentation.ask()
        assert [] == threads()
        assert {UNAPPLIED: {}, APPLIED: {}} == lookup.shown()

    def test_leaves_no_connection_open(self, databases: ConnectionHandler) -> None:
        databases.close_all()
        ask_and_wait(Lookup())
        opened = [str(path.resolve()) for path in Path("/proc/self/fd").iterdir()]
        assert [] == [path for path in opened if path.endswith((".sqlite3", ".sqlite3-wal"))]

    def test_leaves_no_trace_of_its_own(self, databases: ConnectionHandler, monkeypatch: pytest.MonkeyPatch) -> None:
        traced, lookup = [], Lookup()
        monkeypatch.setattr(lookup.instrumentation, "refresh", lambda: traced.append(is_instrumentation_enabled()))
        ask_and_wait(lookup)
        assert [False] == traced

    def test_goes_on_in_a_child_whose_parent_was_asking(self, databases: ConnectionHandler) -> None:
        lookup = Lookup()
        lookup.instrumentation._pid = -1  # as a fork leaves it: another's number, and a lock that nobody releases
        lookup.instrumentation._busy.acquire()
        ask_and_wait(lookup)
        assert {"default", "other"} == set(lookup.shown()[APPLIED])

    def test_survives_a_machine_without_threads(
        self, databases: ConnectionHandler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lookup = Lookup()
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", _no_thread)
            lookup.instrumentation.ask()
        assert {("migrations.ask",): 1} == lookup.failures()
        monkeypatch.setattr(lookup.instrumentation, "_due", 0.0)
        ask_and_wait(lookup)
        assert {"default", "other"} == set(lookup.shown()[APPLIED])


def _no_thread(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
