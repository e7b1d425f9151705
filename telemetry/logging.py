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

import copy
import json
import logging
import math
import operator
import os
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from opentelemetry.trace import get_current_span

from telemetry.instrumentation import privacy, task_records
from telemetry.instrumentation.served import span_of

__all__ = ["JsonFormatter", "TraceFilter"]

_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OURS = frozenset({"trace_id", "span_id", "service"})
_STATEMENTS, _CELERY = "django.db.backends.", "celery."
_DEEPEST = 5
_CAUSES = 5
_SHORTEST = 4
"""Characters of an exception's message that is looked for in texts; a shorter one is found in too many."""
_LONGEST_NUMBER = 2_048
"""Bits of a whole number."""
_SIMPLE = frozenset({str, int, float, bool})
_CONTAINERS = (dict, list, tuple, set, frozenset, deque)
_TEXTS = (date, time, timedelta, Decimal, UUID)


class TraceFilter(logging.Filter):
    """Gives every record `trace_id` (32 hex digits), `span_id` (16) and `service`; lets every record pass.

    The ids are those of the span that is current where the record is made, sampled or not; behind a request,
    where Django logs its answer, those of the request's span; and empty strings outside of any. Where a
    `QueueHandler` takes records to another thread, the filter belongs on that handler; a field that a record has
    already stays.

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
    shapes and URLs' parameters in texts, statements' literals and parameters, what Celery's tasks are given and
    give, and exceptions' messages: those of exceptions that are given, and in texts of the one that is being handled.
    Of objects in `extra` only the type is told, and of a request its method and path.
    """

    def __init__(self, *, service: str | None = None) -> None:
        super().__init__()
        self._service = _service_name(os.environ) if service is None else service

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        _add_fields(record, self._service)
        fields, texts = vars(record), _Texts(record)
        told: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": texts.message(record),
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
                told = texts.given(record, name, value) | told
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
        if not context.is_valid and (span := span_of(record.__dict__.get("request"))) is not None:
            context = span.get_span_context()
        record.trace_id = f"{context.trace_id:032x}" if context.is_valid else ""
        record.span_id = f"{context.span_id:016x}" if context.is_valid else ""
    record.__dict__.setdefault("span_id", "")
    record.__dict__.setdefault("service", service)


class _Texts:
    """What may be shown of a record's texts; those that an application has made of an exception hold its message."""

    def __init__(self, record: logging.LogRecord) -> None:
        self._kind = _kind(str(record.name))
        self._hidden: list[tuple[str, str]] = []
        for error in (record.exc_info and record.exc_info[1], sys.exc_info()[1]):
            if isinstance(error, BaseException):
                self._hidden += _messages(error)
        request: Any = record.__dict__.get("request")
        match = getattr(request, "resolver_match", None)
        if match is not None and (captured := (*match.args, *match.captured_kwargs.values())):
            self._hidden.append((request.path, privacy.path(request.path, captured)))

    def message(self, record: logging.LogRecord) -> str:
        """The record's message; its type where the message itself cannot be told."""
        try:
            return self._message(record)
        except Exception:  # noqa: BLE001 - logging would print the record as it is, and lose the line
            return _type(record.msg)

    def given(self, record: logging.LogRecord, name: str, value: Any) -> dict[str, Any]:
        """What is told of a field that `extra` gave; its type where it cannot be told."""
        try:
            return self._given(record, name, value)
        except Exception:  # noqa: BLE001
            return {name: _type(value)}

    def _message(self, record: logging.LogRecord) -> str:
        if self._kind is _STATEMENTS:
            # Django's own message quotes the parameters.
            return privacy.sanitized(str(record.__dict__["sql"]) if "sql" in record.__dict__ else _formatted(record))
        if self._kind is _CELERY and (told := task_records.message_of(record)) is not None:
            return privacy.masked(told)
        return self._shown(_formatted(record))

    def _given(self, record: logging.LogRecord, name: str, value: Any) -> dict[str, Any]:
        if self._kind is _STATEMENTS and name in ("sql", "params"):
            return {}
        if self._kind is _CELERY and name == "data":
            told = task_records.data_of(record)
            return {} if told is None else {name: {field: self._plain(each) for field, each in told.items()}}
        if name == "request" and hasattr(value, "method") and hasattr(value, "path"):
            return {"http.request.method": self._plain(value.method), "url.path": self._plain(value.path)}
        return {name: privacy.REDACTED if privacy.is_private(name) else self._plain(value)}

    def _shown(self, text: str) -> str:
        for private, shown in self._hidden:
            text = text.replace(private, shown)
        return privacy.prose(text)

    def _plain(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            return self._shown(str(value))
        if value is None or isinstance(value, (bool, int)):
            # Of a longer number Python makes no text.
            return value if value is None or value.bit_length() <= _LONGEST_NUMBER else _type(value)
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, _TEXTS):
            return privacy.masked(str(value))
        if depth < _DEEPEST:
            if isinstance(value, Mapping):
                return {
                    self._shown(str(name)): privacy.REDACTED
                    if privacy.is_private(str(name))
                    else self._plain(inner, depth + 1)
                    for name, inner in value.items()
                }
            if isinstance(value, (list, tuple, set, frozenset)):
                return [self._plain(inner, depth + 1) for inner in value]
        return _type(value)


class _Name(str):
    """Stands for an exception, also where its `repr` is asked for."""

    __slots__ = ()

    __repr__ = str.__str__


@lru_cache(256)
def _kind(logger: str) -> str:
    """Whose records these are, if their texts are known to be made of data."""
    return next((kind for kind in (_STATEMENTS, _CELERY) if f"{logger}.".startswith(kind)), "")


def _messages(error: BaseException | None) -> Iterator[tuple[str, str]]:
    """What texts may quote of an exception and those that it came of, and their types."""
    for _ in range(_CAUSES):
        if error is None:
            break
        for tell in (repr, str):
            try:
                text = tell(error)
            except Exception:  # noqa: BLE001, S112 - what cannot be told is in no text
                continue
            if len(text) >= _SHORTEST:
                yield text, privacy.brief(error)
        error = error.__cause__ or error.__context__


def _type(value: object) -> str:
    return f"<{type(value).__module__}.{type(value).__qualname__}>"


def _formatted(record: logging.LogRecord) -> str:
    message, args = record.msg, record.args
    is_plain = type(message) is str and (not args or (type(args) is tuple and _SIMPLE.issuperset(map(type, args))))
    if not is_plain:
        record = copy.copy(record)
        record.msg = _without_exceptions(message)
    try:
        if not is_plain:
            record.args = _without_exceptions(args)
        return record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit: the record is worth more than they are
        return str(record.msg)


def _without_exceptions(value: Any, depth: int = 0) -> Any:
    """The value with the names of exceptions for them; the value itself where there are none in it."""
    if isinstance(value, BaseException):
        return _Name(privacy.brief(value))
    kind = next((kind for kind in _CONTAINERS if isinstance(value, kind)), None)
    if kind is None:
        return value
    if depth == _DEEPEST:
        return _Name("...")
    # A pair of each item of a mapping: exceptions may be keys.
    found = list(value.items() if kind is dict else value)
    shown = [_without_exceptions(each, depth + (kind is not dict)) for each in found]
    return value if all(map(operator.is_, found, shown)) else kind(shown)
