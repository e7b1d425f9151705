"""New connections, against those that the server let in."""

from __future__ import annotations

from typing import Any

import pytest

from telemetry.tests.postgres.conftest import ALIASES, FAILED, NEW, Runs

POOL, GROWING = {"pool": True}, {"pool": {"min_size": 1, "max_size": 3}}


class TestNewConnections:
    @pytest.mark.parametrize(
        ("driver", "workload", "options"),
        [
            ("psycopg", "reconnecting", {}),
            ("psycopg2", "reconnecting", {}),
            ("psycopg", "reconnecting", POOL),
            ("psycopg", "borrowing", {}),
            ("psycopg2", "borrowing", {}),
            ("psycopg", "borrowing", POOL),
            ("psycopg", "borrowing", GROWING),
        ],
    )
    def test_are_those_that_the_server_let_in(
        self, run: Runs, driver: str, workload: str, options: dict[str, Any]
    ) -> None:
        found = run(driver, workload, **options)
        for alias in ALIASES:
            expected = found.server.sessions(found.databases[alias])
            assert expected >= 3
            assert expected == found.value(NEW, alias)
            assert 0 == found.value(FAILED, alias)
