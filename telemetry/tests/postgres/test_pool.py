"""Django's pool: its connections and its loans, as the pool and the server see them."""

from __future__ import annotations

from typing import Any

from telemetry.tests.postgres.conftest import EXECUTE, FAILED, NEW, Runs

PREFIX = "db_client_connection_"
TWO = {"pool": {"min_size": 2, "max_size": 2, "timeout": 3}}


class TestPool:
    def test_connections_and_loans_are_told_apart(self, run: Runs) -> None:
        found = run("psycopg", "reconnecting", pool=True)
        for alias, database in found.databases.items():
            assert 3 == one(found.counted, f"{PREFIX}wait_time_seconds", alias)
            assert 3 == found.value(EXECUTE, alias)
            assert found.server.sessions(database) == found.value(NEW, alias)

    def test_how_full_it_is(self, run: Runs) -> None:
        found = run("psycopg", "lending", ("default",), **TWO)
        seen = found.returned["default"]
        assert 2 == seen["sessions"]
        expected = {"one": (1, 1, 0, 0, 1), "two": (0, 2, 1, 0, 2), "refused": (1, 1, 0, 1, 2)}
        assert expected == {name: values(seen[name]) for name in expected}
        assert {2} == {one(seen[name], f"{PREFIX}max", "default") for name in expected}
        assert 1 == found.value(FAILED, "default")

    def test_there_is_none_without_it(self, run: Runs) -> None:
        found = run("psycopg", "reconnecting")
        assert {} == {name: series for name, series in found.counted.items() if name.startswith(PREFIX) and series}


def values(counted: dict[str, Any]) -> tuple[float, ...]:
    """Idle, used, wanted, refused for a time-out, lent so far."""
    return (
        one(counted, f"{PREFIX}count", "default", "idle"),
        one(counted, f"{PREFIX}count", "default", "used"),
        one(counted, f"{PREFIX}pending_requests", "default"),
        one(counted, f"{PREFIX}timeouts_total", "default"),
        one(counted, f"{PREFIX}wait_time_seconds", "default"),
    )


def one(counted: dict[str, Any], family: str, *labels: str) -> float:
    series: list[tuple[dict[str, str], float]] = counted[family]
    return sum(value for have, value in series if labels == tuple(have[name] for name in sorted(have)))
