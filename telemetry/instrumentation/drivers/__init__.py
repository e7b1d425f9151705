"""Spans of queries: instrumentors in the place of the stock ones of the database drivers, with cursors of ours.

A cursor is of a subclass of the class that it would be of: of the driver's, of Django's, or of one's own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from opentelemetry.trace import TracerProvider, get_tracer_provider

from telemetry.instrumentation._in_place import driver_options, stand_in
from telemetry.instrumentation._stock import is_in
from telemetry.instrumentation.drivers._tracing import Failed

_NAMES = {"sqlite3": "SQLite3Instrumentor", "psycopg2": "Psycopg2Instrumentor", "psycopg": "PsycopgInstrumentor"}


def instrumentor(driver: str) -> Any:
    """Our instrumentor of a driver (sqlite3, psycopg2 or psycopg).

    Raises:
        ImportError: the driver or its instrumentation is not installed.
    """
    return getattr(import_module(f"{__name__}._{driver}"), _NAMES[driver])()


def install(
    driver: str, tracer_provider: TracerProvider | None, failed: Failed, options: Mapping[str, Any]
) -> Any | None:
    """Our instrumentor, switched on in the place of the stock one, whose options win over these.

    None where the stock one stays: it has been given a tracer provider of its own.

    Raises:
        ImportError: the driver or its instrumentation is not installed.
    """
    ours = instrumentor(driver)
    stock = import_module(type(ours).__module__)._Stock
    if is_in(stock):
        given = driver_options(import_module(driver).connect)
        mine = tracer_provider or get_tracer_provider()
        if given.pop("tracer_provider", mine) is not mine:
            return None
        options = {**options, **given}
        stock().uninstrument()
    ours.instrument(tracer_provider=tracer_provider, failed=failed, **options)
    stand_in(stock, ours)
    return ours


def stock_is_in(driver: str) -> bool:
    """Whether somebody has switched the stock instrumentor on; nothing is imported to find out."""
    module = sys.modules.get(f"opentelemetry.instrumentation.{driver}")
    return module is not None and is_in(getattr(module, _NAMES[driver]))
