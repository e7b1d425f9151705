"""Log records that carry the trace they belong to, and a formatter that writes them as JSON.

    LOGGING = {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"trace": {"()": "telemetry.logging.TraceFilter"}},
        "formatters": {"json": {"()": "telemetry.logging.JsonFormatter"}},
        "handlers": {"out": {"class": "logging.StreamHandler", "filters": ["trace"], "formatter": "json"}},
        "root": {"handlers": ["out"], "level": "INFO"},
    }

It needs neither Django nor an SDK: Django configures logging before any app is loaded.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from opentelemetry.trace import get_current_span

from telemetry.instrumentation import privacy

__all__ = ["JsonFormatter", "TraceFilter"]

_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OURS = frozenset({"trace_id", "span_id", "service"})
_STATEMENTS = "django.db.backends"
_DEEPEST = 5
_TEXTS = (date, time, timedelta, Decimal, UUID)


class TraceFilter(logging.Filter):
    """Gives every record `trace_id` (32 hex digits), `span_id` (16) and `service`; lets every record pass.

    The ids are those of the span that is current where the record is made, sampled or not, and empty
    strings outside of any. Where a `QueueHandler` takes records to another thread, the filter belongs on
    that handler; a field that a record has already stays.

    `service` is by default what `OTEL_SERVICE_NAME`, or else `service.name` in `OTEL_RESOURCE_ATTRIBUTES`, says.
    """

    def __init__(self, name: str = "", *, service: str | None = None) -> None:
        super().__init__(name)
        self._service = _service_name(os.environ) if service is None else service

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields; True."""
        _add_fields(record, self._service)
        return True


class JsonFormatter(logging.Formatter):
    """One line of JSON a record: `timestamp` (UTC, ISO 8601), `level`, `logger`, `message`, `trace_id`,
    `span_id`, `service`, what `extra` has given, and of an exception its type and stack.

    What `telemetry.instrumentation.privacy` takes for private is left out here too: values of private names, private
    shapes in texts, exceptions' messages, statements' literals and parameters. Of objects in `extra` only
    the type is told, and of a request its method and path.
    """

    def __init__(self, *, service: str | None = None) -> None:
        super().__init__()
        self._service = _service_name(os.environ) if service is None else service

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        _add_fields(record, self._service)
        fields = vars(record)
        told: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            **{name: str(fields[name]) for name in ("trace_id", "span_id", "service")},
        }
        if record.exc_info and record.exc_info[1] is not None:
            told |= privacy.told(record.exc_info[1])
        elif record.exc_text:
            told |= privacy.attributes({"exception.stacktrace": record.exc_text})
        if record.stack_info:
            told["stack"] = "\n".join(privacy.frames(record.stack_info))
        for name, value in fields.items():
            if name not in _USUAL and name not in _OURS:
                told = _extra(record, name, value) | told
        return json.dumps(told)


def _service_name(environ: Mapping[str, str]) -> str:
    given = environ.get("OTEL_SERVICE_NAME", "").strip()
    if given:
        return given
    pairs = (pair.partition("=") for pair in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","))
    names = [unquote(value.strip()) for name, _, value in pairs if name.strip() == "service.name"]
    return names[-1] if names else ""


def _add_fields(record: logging.LogRecord, service: str) -> None:
    if "trace_id" not in record.__dict__:
        context = get_current_span().get_span_context()
        record.trace_id = f"{context.trace_id:032x}" if context.is_valid else ""
        record.span_id = f"{context.span_id:016x}" if context.is_valid else ""
    record.__dict__.setdefault("span_id", "")
    record.__dict__.setdefault("service", service)


def _message(record: logging.LogRecord) -> str:
    if record.name == _STATEMENTS and "sql" in record.__dict__:
        return privacy.sanitized(str(record.__dict__["sql"]))  # Django's own message quotes the parameters
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit: the record is worth more than they are
        message = str(record.msg)
    return privacy.masked(message)


def _extra(record: logging.LogRecord, name: str, value: Any) -> dict[str, Any]:
    if record.name == _STATEMENTS and name in ("sql", "params"):
        return {}
    if name == "request" and hasattr(value, "method") and hasattr(value, "path"):
        return {"http.request.method": _plain(value.method), "url.path": _plain(value.path)}
    return {name: privacy.REDACTED if privacy.is_private(name) else _plain(value)}


def _plain(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return privacy.masked(str(value))
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, _TEXTS):
        return privacy.masked(str(value))
    if depth < _DEEPEST:
        if isinstance(value, Mapping):
            return {
                str(name): privacy.REDACTED if privacy.is_private(str(name)) else _plain(inner, depth + 1)
                for name, inner in value.items()
            }
        if isinstance(value, (list, tuple, set, frozenset)):
            return [_plain(inner, depth + 1) for inner in value]
    return f"<{type(value).__module__}.{type(value).__qualname__}>"
