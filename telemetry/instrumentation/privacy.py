"""Nothing private in spans and log records: the one place that decides what is data and takes it out.

Built in are SQL literals, exception messages, values of query strings, headers and attributes with
secret-looking names, secret-looking parts of URLs, e-mail addresses, and numbers shaped like cards and US social
security numbers.
`configure` adds a project's own names and patterns. What each rule does, and why, is in docs/PRIVACY.md.

The rules are the process's, not an object's: log formatters are built by `logging.config` before
anything of ours exists, and spans of other libraries are cleaned as well as our own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from opentelemetry.trace import Span, Status, StatusCode

from telemetry.instrumentation import _private_names as _names
from telemetry.instrumentation import _rules
from telemetry.instrumentation._rules import masked
from telemetry.instrumentation._shapes import REDACTED, without_tokens
from telemetry.instrumentation._stacks import frames, stack, type_in, type_of
from telemetry.instrumentation._statements import without_literals
from telemetry.instrumentation._urls import path, prose, query, shows, url

__all__ = [
    "REDACTED",
    "attributes",
    "brief",
    "configure",
    "description",
    "frames",
    "is_private",
    "masked",
    "name",
    "path",
    "prose",
    "query",
    "record",
    "sanitized",
    "stack",
    "told",
    "url",
]

_LITERALS = re.compile(r"'[^']*+(?:'|\Z)|\"[^\"]*+(?:\"|\Z)|\([^()]*+\)|[0-9]++")
_PATH = re.compile(r"(?<!\S)[^\s/'\"(]*+/\S*+")
_RETRY = re.compile(r"([^\W\d][\w.]*)|Retry (?:in|at) [^(]*?: ([^\W\d][\w.]*)\(.*", re.DOTALL)
_HEADER = re.compile(r"http\.(?:request|response)\.header\.(.+)", re.DOTALL)
_STATEMENTS = frozenset({"db.query.text", "db.statement", "db.query.summary", "db.operation.name", "db.operation"})
_URLS = frozenset({"url.full", "url.original", "http.url", "http.target"})
_PARAMETERS = ("db.query.parameter.", "db.statement.parameters", "db.operation.parameter.")


def configure(
    *,
    names: Iterable[str] = (),
    parameters: Iterable[str] = (),
    patterns: Iterable[re.Pattern[str]] = (),
    exception_messages: bool = False,
) -> None:
    """Set what this process takes for private beyond what is built in; replaces what was set before.

    `names` are names of query parameters, headers and attributes, whole or what stands between `.`, `__`, `[` and
    `]`; case, `-` and `_` make no difference, and `*` is every query parameter and header. `patterns` are masked
    wherever text is. Two show more: `parameters` are names of query parameters whose values may be seen, beside
    those that are built in, and `exception_messages` lets messages stay, masked.
    """
    _rules.current = _rules.Rules(
        frozenset(map(_names.plain, names)),
        frozenset(map(_names.plain, parameters)),
        tuple(patterns),
        exception_messages,
    )
    _is_private.cache_clear()
    shows.cache_clear()
    _cleaner.cache_clear()


def sanitized(sql: str, system: str = "") -> str:
    """A statement as `db.query.text` may show it: placeholders stay, literals are `?`, comments are gone.

    `system` is the value of `db.system.name`, where it is known. At most 16,384 characters are looked at.
    """
    return masked(without_literals(sql, system))


def is_private(name: str) -> bool:
    """Whether a value under this name of a header or a field is nobody's business."""
    # Names may be a client's: of long ones none is kept.
    return len(name) > _names.LONGEST or _is_private(name)


@lru_cache(1024)
def _is_private(name: str) -> bool:
    parts = _names.parts(name)
    return _rules.are_the_projects(parts) or any(map(_names.is_private, parts))


def attributes(found: Mapping[str, Any]) -> dict[str, Any]:
    """A span's or an event's attributes without what is private; those that are clean stay as they are."""
    kept: dict[str, Any] = {}
    for name, value in found.items():
        clean = _cleaner(name)
        if clean is sanitized:
            kept[name] = sanitized(str(value), str(found.get("db.system.name") or found.get("db.system") or ""))
        elif clean is not None:
            kind = type(value)
            if kind is str or clean is _redacted:
                kept[name] = clean(value)
            else:
                kept[name] = value if kind is int else _each(value, clean)
    return kept


def name(text: str, found: Mapping[str, Any]) -> str:
    """A span's name, which in stock instrumentation of databases is the beginning of a statement.

    `found` are the span's attributes.
    """
    system = found.get("db.system.name") or found.get("db.system")
    if not system or text in (found.get("db.namespace"), found.get("db.name")):
        return prose(text)
    return sanitized(text, str(system))


def description(text: str, error: str = "") -> str:
    """A span's status description; of the SDK's "type: message" only the type, unless messages are allowed.

    `error` is the type of the exception that the span has recorded, by which an application may have described it.
    """
    if _rules.current.exception_messages and (error or type_in(text)):
        return _message(text)
    return error.rpartition(".")[2] or type_in(text) or masked(text)


def record(span: Span, error: BaseException, *, escaped: bool = False) -> None:
    """Tell a span of an error without its message, which quotes the data that was wrong."""
    event = told(error)
    message = event.get("exception.message")
    span.add_event("exception", {**event, "exception.escaped": str(escaped)})
    name = type(error).__name__
    span.set_status(Status(StatusCode.ERROR, name if message is None else f"{name}: {message}"))


def told(error: BaseException) -> dict[str, str]:
    """An exception as attributes: its type and stack, and its message where messages are allowed."""
    event = {"exception.type": type_of(error), "exception.stacktrace": stack(error)}
    if _rules.current.exception_messages:
        event["exception.message"] = _message(str(error))
    return event


def brief(error: BaseException) -> str:
    """An exception in a word, its type, and its message behind it where messages are allowed."""
    kind = type_of(error)
    return f"{kind}: {_message(str(error))}" if _rules.current.exception_messages else kind


def _message(text: str) -> str:
    return _LITERALS.sub("?", masked(_PATH.sub(_path, text)))


def _path(found: re.Match[str]) -> str:
    return without_tokens(found[0].partition("?")[0])


def _retry_reason(text: str) -> str:
    """Of a retry as Celery words it, `Retry in 3s: ValueError('…')`, the type; ours is that already."""
    if _rules.current.exception_messages:
        return _message(text)
    found = _RETRY.fullmatch(text)
    return "Retry" if found is None else found[1] or found[2]


@lru_cache(1024)
def _cleaner(name: str) -> Callable[[str], str] | None:
    """What cleans the texts of this attribute; None where it may not be told at all."""
    header = _HEADER.fullmatch(name)
    if header is not None:
        return None if is_private(header[1]) else url if _names.is_url(_names.plain(header[1])) else prose
    if name in _STATEMENTS:
        return sanitized
    if name == "url.query":
        return query
    if name in _URLS:
        return url
    if name == "celery.retry.reason":
        return _retry_reason
    if name == "exception.message":
        return _message if _rules.current.exception_messages else None
    if name in ("exception.stacktrace", "code.stacktrace"):
        return _stacktrace
    if name.startswith(_PARAMETERS):
        return None
    last = _names.plain(name.rpartition(".")[2])
    if not _rules.current.names.isdisjoint((_names.plain(name), last)):
        return _redacted
    if _names.is_content(name) or _names.is_secret(last):
        return _hidden
    return url if _names.is_url(last) else prose


def _stacktrace(text: str) -> str:
    return "\n".join(frames(text))


def _redacted(value: object) -> str:
    """Whatever it is."""
    return REDACTED


def _hidden(text: str) -> str:
    """Texts only: how many tokens a model has read is no secret."""
    return REDACTED


def _each(value: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [clean(item) if isinstance(item, str) else item for item in value]
    return value
