"""What Celery's log records tell of tasks and messages, without what those were given, gave or raised.

A record of a task's state carries what it is made of as `data` (`celery.app.trace`, `celery.worker.strategy`); other
records have the contents of messages among their arguments. Nothing of Celery is imported.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from telemetry.instrumentation._shapes import REDACTED

_KEPT = ("id", "name", "runtime")
_FORMATTED = ("hostname", "description", "internal", "eta")
"""What else a template of Celery's may show."""
_RESULT = re.compile(r":? ?%\(return_value\)[rs]")
_CONTENT = re.compile(r"\b(?:body|kwargs)\b|Task: %r").search
_ERROR = re.compile(r"(?:Retry (?:in|at) [^(]*?: )?([^\W\d][\w.]*)\(.*", re.DOTALL)


def data_of(record: logging.LogRecord) -> dict[str, Any] | None:
    """What may be told of the task that the record is about; None where it is about none."""
    data = record.__dict__.get("data")
    if not isinstance(data, Mapping) or not {"id", "name"} <= data.keys():
        return None
    told = {name: data[name] for name in _KEPT if name in data}
    if "exc" in data:
        found = _ERROR.fullmatch(str(data["exc"]))
        told["exc"] = "an exception" if found is None else found[1]
    return told


def message_of(record: logging.LogRecord) -> str | None:
    """The record's message without data; None where Celery's own may be shown."""
    template, told = str(record.msg), data_of(record)
    if told is not None:
        data = record.__dict__["data"]
        shown = {name: told.get(name, data[name] if name in _FORMATTED else REDACTED) for name in data}
        try:
            return _RESULT.sub("", template) % shown
        except Exception:  # noqa: BLE001 - a template of somebody's own
            return template
    if record.args and _CONTENT(template):
        return template.partition("%")[0].strip()
    return None
