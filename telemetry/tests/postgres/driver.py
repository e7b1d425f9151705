"""Which driver Django's PostgreSQL backend takes; as a pytest plugin, by the variable `TEST_DRIVER`.

Only the tests that ask Django's database are run.

Django prefers psycopg 3 where it can be imported and decides once, when its backend is imported:
psycopg 3 is hidden only then, so that what tests it by itself still can.
"""

from __future__ import annotations

import importlib
import os
import sys

import pytest

DRIVERS = ("psycopg", "psycopg2")
_FIXTURES = frozenset({"db", "transactional_db", "live_server"})
_WATCHING = ("instrumentation", "compat")
"""Folders whose tests watch Django's connections, also where they do not say so by a fixture."""


def choose(driver: str) -> None:
    """Have Django's backend on this driver; to be called before anything has imported the backend."""
    hidden = sys.modules.get("psycopg")
    if driver == "psycopg2":
        sys.modules["psycopg"] = None  # type: ignore[assignment]
    try:
        base = importlib.import_module("django.db.backends.postgresql.base")
    finally:
        if driver == "psycopg2":
            del sys.modules["psycopg"]
            if hidden is not None:
                sys.modules["psycopg"] = hidden
    taken = base.Database.__name__
    if taken != driver:
        raise RuntimeError(f"Django's backend is on {taken}, not on {driver!r}; valid are {DRIVERS}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what asks no database: it is the same on any."""
    asking = [item for item in items if _asks(item)]
    config.hook.pytest_deselected(items=[item for item in items if not _asks(item)])
    items[:] = asking


def _asks(item: pytest.Item) -> bool:
    return (
        item.get_closest_marker("django_db") is not None
        or not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
        or item.path.parent.name in _WATCHING
    )


def pytest_sessionstart() -> None:
    from django.db import connection

    if connection.vendor != "postgresql":
        raise pytest.UsageError(f"the tests are to run on PostgreSQL, not on {connection.vendor}: set DATABASE_URL")


def pytest_report_header() -> str:
    from django.db import connection

    pool = "with" if connection.settings_dict["OPTIONS"].get("pool") else "without"
    return f"database: PostgreSQL, {os.environ['TEST_DRIVER']}, {pool} a pool"


if "TEST_DRIVER" in os.environ:
    choose(os.environ["TEST_DRIVER"])
