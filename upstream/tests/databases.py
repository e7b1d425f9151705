"""Databases for the tests that run the service in processes of its own."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

import pytest

from telemetry.tests.postgres.server import Unavailable, postgres


@contextlib.contextmanager
def empty_database(vendor: str) -> Iterator[str | None]:
    """The URL of an empty database on a PostgreSQL server of its own; None, the default, for SQLite.

    Skips the test where there is no server to be had.
    """
    if vendor == "sqlite":
        yield None
        return
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(postgres())
        except Unavailable as error:
            pytest.skip(str(error))
        name = f"upstream_{uuid.uuid4().hex}"
        server.ask(f"CREATE DATABASE {name}")
        yield server.url(name)
