"""The shop in place of whatever apps and default database the test run has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections
from django.db.utils import ConnectionHandler
from django.test import override_settings

from telemetry.tests.shop.steps import create_rows, create_tables


@contextmanager
def only_the_shop() -> Iterator[None]:
    """No other app is installed."""
    with override_settings(INSTALLED_APPS=["telemetry.tests.shop"]):
        yield


@contextmanager
def shop_rows() -> Iterator[None]:
    """The default connection of this thread leads to a database in memory with the shop's rows."""
    handler = ConnectionHandler({"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
    before, connections["default"] = connections["default"], handler["default"]
    try:
        create_tables()
        create_rows()
        yield
    finally:
        if handler["default"].connection is not None:
            handler["default"].connection.close()  # not by Django's, which keeps a database in memory
        connections["default"] = before
