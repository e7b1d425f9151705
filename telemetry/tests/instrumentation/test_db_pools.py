"""Pools of a backend that is as Django's for PostgreSQL; telemetry/tests/postgres has the real thing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import OperationalError
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.sqlite3.base import DatabaseWrapper

from telemetry.tests.instrumentation.recording import Recording

NEW = "django_db_new_connections_total"
FAILED = "django_db_new_connection_errors_total"
COUNT = "db_client_connection_count"
WAIT = "db_client_connection_wait_time_seconds"
TIMEOUTS = "db_client_connection_timeouts_total"
MAIN = ("default", "sqlite")


class PoolTimeout(OperationalError):
    """As psycopg_pool's."""


@dataclass
class Pool:
    """As psycopg_pool's `ConnectionPool`."""

    free: list[str] = field(default_factory=lambda: ["one", "two", "three"])
    closed: bool = False

    def get_stats(self) -> dict[str, int]:
        return {"pool_min": 1, "pool_max": 5, "pool_size": 4, "pool_available": len(self.free), "requests_waiting": 7}


class Pooled(DatabaseWrapper):
    """As Django's wrapper for PostgreSQL."""

    def __init__(self, settings: dict[str, Any], alias: str, pool: Pool | None) -> None:
        super().__init__(settings, alias)
        self.pool = pool

    def get_new_connection(self, params: Any) -> Any:
        if self.pool is None:
            return "beside"
        if not self.pool.free:
            raise PoolTimeout
        return self.pool.free.pop()

    def _configure_connection(self, connection: Any) -> Any:
        """What the pool calls for each connection that it opens."""
        return connection

    def borrow(self) -> None:
        self.connection = self.get_new_connection({})

    def give_back(self) -> None:
        assert self.pool is not None
        self.pool.free.append(self.connection)
        self.connection = None


SETTINGS = {"NAME": "main", "OPTIONS": {"pool": True}, "TIME_ZONE": None}
Make = Callable[..., Pooled]


@pytest.fixture
def pooled() -> Make:
    pool = Pool()
    return lambda alias="default", pool=pool: Pooled(SETTINGS, alias, pool)


class TestConnections:
    def test_each_that_the_pool_opens_is_counted_not_those_that_it_lends(
        self, recording: Recording, pooled: Make
    ) -> None:
        db = pooled()
        for connection in ("one", "two"):
            assert connection == db._configure_connection(connection)
        for _ in range(5):
            db.borrow()
            db.give_back()
        assert {MAIN: 2} == recording.values(NEW)
        assert {} == recording.values(FAILED)
        assert {("default",): 5} == recording.values(WAIT)

    def test_one_that_cannot_be_had(self, recording: Recording, pooled: Make) -> None:
        with pytest.raises(PoolTimeout):
            pooled(pool=Pool(free=[])).borrow()
        assert {MAIN: 1} == recording.values(NEW)
        assert {MAIN: 1} == recording.values(FAILED)
        assert {("default",): 1} == recording.values(TIMEOUTS)
        assert {} == recording.values(WAIT)

    def test_one_beside_the_pool(self, recording: Recording, pooled: Make) -> None:
        db = pooled(NO_DB_ALIAS, None)
        db._configure_connection(db.get_new_connection({}))
        assert {(NO_DB_ALIAS, "sqlite"): 1} == recording.values(NEW)
        assert {} == recording.values(WAIT)

    def test_outlives_the_instrumentation(self, pooled: Make) -> None:
        with Recording() as recording:
            configure = pooled()._configure_connection
        assert "one" == configure("one")
        assert {} == recording.values(NEW)


class TestPublish:
    def test_nothing_without_a_pool(self, recording: Recording) -> None:
        recording.db.publish()
        assert {} == recording.values(COUNT)

    def test_what_the_pool_has_and_who_has_borrowed(self, recording: Recording, pooled: Make) -> None:
        borrowers = [pooled() for _ in range(2)]
        for db in borrowers:
            db.borrow()
        recording.db.publish()
        # the fourth is only being opened
        assert {("default", "idle"): 1, ("default", "used"): 2} == recording.values(COUNT)
        assert {("default",): 5} == recording.values("db_client_connection_max")
        assert {("default",): 7} == recording.values("db_client_connection_pending_requests")
        borrowers[0].give_back()
        recording.db.publish()
        assert {("default", "idle"): 2, ("default", "used"): 1} == recording.values(COUNT)

    def test_a_closed_pool_has_none(self, recording: Recording, pooled: Make) -> None:
        db = pooled()
        db.borrow()
        recording.db.publish()
        db.give_back()
        assert db.pool is not None
        db.pool.closed = True
        recording.db.publish()
        assert {("default", "idle"): 0, ("default", "used"): 0} == recording.values(COUNT)
        assert {("default",): 0} == recording.values("db_client_connection_max")

    def test_a_forked_child_has_not_its_parents(
        self, recording: Recording, pooled: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pooled().borrow()
        monkeypatch.setattr(os, "getpid", lambda: -1)
        recording.db.publish()
        assert {} == recording.values(COUNT)

    def test_a_pool_that_fails_is_ours_to_bear(self, pooled: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(self: Pool) -> dict[str, int]:
            raise RuntimeError("no stats")

        with Recording() as recording:
            pooled().borrow()
            monkeypatch.setattr(Pool, "get_stats", fail)
            recording.db.publish()
            assert [("db.pool",)] == recording.dropped()
