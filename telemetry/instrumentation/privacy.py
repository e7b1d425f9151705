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
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

from opentelemetry.trace import Span, Status, StatusCode

from telemetry.instrumentation._shapes import REDACTED, without_shapes, without_tokens
from telemetry.instrumentation._stacks import frames, stack, type_in, type_of
from telemetry.instrumentation._statements import without_literals

__all__ = [
    "REDACTED",
    "attributes",
    "configure",
    "description",
    "frames",
    "is_private",
    "masked",
    "query",
    "record",
    "sanitized",
    "stack",
    "told",
    "url",
]

_LONGEST_QUERY = 2_048
_LONGEST_NAME = 64

_PRIVATE_NAME = re.compile(
    # secrets
    r"pass(?:w|phrase|code)|pwd|secret|token|auth|credential|apikey|accesskey|privatekey|signature|session|cookie"
    r"|csrf|xsrf|jwt|otp|nonce|^(?:sig|key|code|state|pin)$"
    # people
    r"|mail|phone|mobile|^(?:tel|fax)$|ssn|social|taxid|passport|licen[sc]e|birth|^dob$|^(?:first|last|full|sur)?name$"
    r"|username|^user$|address|street|zip|postal|card|cv[cv]|iban|account"
    # their health and business, and what they look for
    r"|patient|member|subscriber|^mrn$|diagnos|claim|customer|^(?:q|query|search)$"
)
_LITERALS = re.compile(r"'[^']*+(?:'|\Z)|\"[^\"]*+(?:\"|\Z)|\([^()]*+\)|[0-9]++")
_PATH = re.compile(r"(?<!\S)[^\s/'\"(]*+/\S*+")
_RETRY = re.compile(r"([^\W\d][\w.]*)|Retry (?:in|at) [^(]*?: ([^\W\d][\w.]*)\(.*", re.DOTALL)
_HEADER = re.compile(r"http\.(?:request|response)\.header\.(.+)", re.DOTALL)
_STATEMENTS = frozenset({"db.query.text", "db.statement"})
_URLS = frozenset({"url.full", "http.url", "http.target"})
_URL_HEADERS = frozenset({"referer", "location", "content-location", "origin"})
_PARAMETERS = ("db.query.parameter.", "db.statement.parameters", "db.operation.parameter.")


@dataclass(frozen=True, slots=True)
class _Rules:
    names: frozenset[str] = frozenset()
    patterns: tuple[re.Pattern[str], ...] = ()
    exception_messages: bool = False


_rules = _Rules()


def configure(
    *, names: Iterable[str] = (), patterns: Iterable[re.Pattern[str]] = (), exception_messages: bool = False
) -> None:
    """Set what this process takes for private beyond what is built in; replaces what was set before.

    `names` are whole names of query parameters, headers and attributes (of these also the last part
    after a dot); case, `-` and `_` make no difference, and `*` is every query parameter and header.
    `patterns` are masked wherever text is. `exception_messages` lets messages stay, masked: the only
    thing here that shows more.
    """
    global _rules
    _rules = _Rules(frozenset(map(_plain, names)), tuple(patterns), exception_messages)
    is_private.cache_clear()
    _cleaner.cache_clear()


def masked(text: str) -> str:
    """The text with `REDACTED` for e-mail addresses, card and SSN-shaped numbers and the project's patterns."""
    text = without_shapes(text)
    for pattern in _rules.patterns:
        text = pattern.sub(REDACTED, text)
    return text


def sanitized(sql: str, system: str = "") -> str:
    """A statement as `db.query.text` may show it: placeholders stay, literals are `?`, comments are gone.

    `system` is the value of `db.system.name`, where it is known. At most 16,384 characters are looked at.
    """
    return masked(without_literals(sql, system))


@lru_cache(1024)
def is_private(name: str) -> bool:
    """Whether a value under this name of a query parameter or a header is nobody's business."""
    plain = _plain(name)
    return (
        len(name) > _LONGEST_NAME
        or not _rules.names.isdisjoint((plain, "*"))
        or _PRIVATE_NAME.search(plain) is not None
    )


def query(text: str) -> str:
    """A query string (without `?`): `REDACTED` for values of private names or shapes, and for what has no name."""
    if len(text) > _LONGEST_QUERY:
        return query(text[:_LONGEST_QUERY].rpartition("&")[0]) + "&..."
    return "&".join(map(_parameter, text.split("&")))


def url(text: str) -> str:
    """A URL, whole or from its path on, without credentials and fragment, its query string as by `query`.

    A whole one is another's, as a webhook: what may be a secret in its path is `REDACTED`.
    """
    text, _, _ = text.partition("#")
    text, asked, parameters = text.partition("?")
    scheme, separator, rest = text.partition("://")
    if separator:
        authority, slash, path = rest.partition("/")
        text = f"{scheme}://{authority.rpartition('@')[2]}{slash}{without_tokens(path)}"
    return masked(text) + (f"?{query(parameters)}" if asked else "")


def attributes(found: Mapping[str, Any]) -> dict[str, Any]:
    """A span's or an event's attributes without what is private; those that are clean stay as they are."""
    kept: dict[str, Any] = {}
    for name, value in found.items():
        clean = _cleaner(name)
        if clean is sanitized:
            kept[name] = sanitized(str(value), str(found.get("db.system.name") or found.get("db.system") or ""))
        elif clean is not None:
            kept[name] = clean(value) if type(value) is str or clean is _redacted else _each(value, clean)
    return kept


def description(text: str, error: str = "") -> str:
    """A span's status description; of the SDK's "type: message" only the type, unless messages are allowed.

    `error` is the type of the exception that the span has recorded, by which an application may have described it.
    """
    if _rules.exception_messages and (error or type_in(text)):
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
    if _rules.exception_messages:
        event["exception.message"] = _message(str(error))
    return event


def _message(text: str) -> str:
    return _LITERALS.sub("?", masked(_PATH.sub(_path, text)))


def _path(found: re.Match[str]) -> str:
    return without_tokens(found[0].partition("?")[0])


def _retry_reason(text: str) -> str:
    """Of a retry as Celery words it, `Retry in 3s: ValueError('…')`, the type; ours is that already."""
    if _rules.exception_messages:
        return _message(text)
    found = _RETRY.fullmatch(text)
    return "Retry" if found is None else found[1] or found[2]


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _parameter(part: str) -> str:
    name, given, value = part.partition("=")
    if not given:
        return REDACTED if part else ""
    told = unquote_plus(name)
    if masked(told) != told:
        name = REDACTED
    plain = unquote_plus(value)
    if value and (is_private(told) or masked(plain) != plain):
        value = REDACTED
    return f"{name}={value}"


@lru_cache(1024)
def _cleaner(name: str) -> Callable[[str], str] | None:
    """What cleans the texts of this attribute; None where it may not be told at all."""
    header = _HEADER.fullmatch(name)
    if header is not None:
        return None if is_private(header[1]) else url if header[1].replace("_", "-") in _URL_HEADERS else masked
    if name in _STATEMENTS:
        return sanitized
    if name == "url.query":
        return query
    if name in _URLS:
        return url
    if name == "celery.retry.reason":
        return _retry_reason
    if name == "exception.message":
        return _message if _rules.exception_messages else None
    if name == "exception.stacktrace":
        return _stacktrace
    if not _rules.names.isdisjoint((_plain(name), _plain(name.rpartition(".")[2]))):
        return _redacted
    return None if name.startswith(_PARAMETERS) else masked


def _stacktrace(text: str) -> str:
    return "\n".join(frames(text))


def _redacted(value: object) -> str:
    return REDACTED


def _each(value: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [clean(item) if isinstance(item, str) else item for item in value]
    return value
