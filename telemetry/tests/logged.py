"""Records as `JsonFormatter` writes them."""

from __future__ import annotations

import json
import logging
from typing import Any

from telemetry.logging import JsonFormatter


def shown(**fields: Any) -> dict[str, Any]:
    """A record with these fields, as JSON."""
    record = logging.makeLogRecord({"name": "shop", "msg": "", "levelname": "INFO"} | fields)
    line = JsonFormatter(service="shop").format(record)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found
