"""Spans of queries: instrumentors in the place of the stock ones of the database drivers, with cursors of ours.

A cursor is of a subclass of the class that it would be of: of the driver's, of Django's, or of one's own.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from telemetry.instrumentation._stock import is_in

_NAMES = {"sqlite3": "SQLite3Instrumentor", "psycopg2": "Psycopg2Instrumentor", "psycopg": "PsycopgInstrumentor"}


def instrumentor(driver: str) -> Any:
    """Our instrumentor of a driver (sqlite3, psycopg2 or psycopg), or None where the stock one is in.

    Raises:
        ImportError: the driver or its instrumentation is not installed.
    """
    module = import_module(f"{__name__}._{driver}")
    return None if is_in(module._Stock) else getattr(module, _NAMES[driver])()
