"""Which driver Django's PostgreSQL backend takes; as a pytest plugin, by the variable `TEST_DRIVER`.

Django prefers psycopg 3 where it can be imported and decides once, when its backend is imported:
psycopg 3 is hidden only then, so that what tests it by itself still can.
"""

from __future__ import annotations

import importlib
import os
import sys

import pytest

DRIVERS = ("psycopg", "psycopg2")


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
