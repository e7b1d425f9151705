"""Records as `JsonFormatter` writes them, by itself or where logging is configured so."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from telemetry.logging import JsonFormatter

logger = logging.getLogger("shop")


@contextmanager
def configured() -> Iterator[io.StringIO]:
    """What the configuration of the module's docstring writes."""
    stream = io.StringIO()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"trace": {"()": "telemetry.logging.TraceFilter", "service": "shop"}},
            "formatters": {"json": {"()": "telemetry.logging.JsonFormatter"}},
            "handlers": {
                "out": {"class": "logging.StreamHandler", "stream": stream, "filters": ["trace"], "formatter": "json"}
            },
            "loggers": {"shop": {"handlers": ["out"], "level": "DEBUG", "propagate": False}},
        }
    )
    yield stream
    logging.getLogger("shop").handlers.clear()


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def shown(**fields: Any) -> dict[str, Any]:
    """A record with these fields, as JSON."""
    record = logging.makeLogRecord({"name": "shop", "msg": "", "levelname": "INFO"} | fields)
    line = JsonFormatter(service="shop").format(record)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found
