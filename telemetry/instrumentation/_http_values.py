"""What HTTP records hold, from what requests and responses hold: closed sets and bounded numbers, whatever is given."""

from __future__ import annotations

import asyncio

from django.http import HttpRequest
from django.http.response import HttpResponseBase

METHODS = {
    name: name for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH")
}  # fmt: skip
INVALID_STATUS = "<invalid status>"
LARGEST_BODY = 2**40
"""Bytes; a request that announces more is counted as this much, so that no client can ruin the sum."""
_STATUSES = {number: str(number) for number in range(100, 600)}
PROTOCOLS = {
    "HTTP/1.0": "1.0", "HTTP/1.1": "1.1", "HTTP/2": "2", "HTTP/2.0": "2", "HTTP/3": "3",
    "1.0": "1.0", "1.1": "1.1", "2": "2", "2.0": "2", "3": "3",
}  # fmt: skip
_BODILESS = frozenset({"204", "304"})


def status_of(response: HttpResponseBase) -> str:
    """The status code; a view may have set anything."""
    try:
        return _STATUSES.get(response.status_code, INVALID_STATUS)
    except (AttributeError, TypeError):
        return INVALID_STATUS


def protocol_of(request: HttpRequest) -> str:
    """The version of HTTP, by WSGI's name or ASGI's; empty for one that does not exist."""
    given = request.META.get("SERVER_PROTOCOL")
    if given is None:
        given = getattr(request, "scope", {}).get("http_version")
    return PROTOCOLS.get(given or "", "")


def length_of(given: object) -> int:
    """The bytes of a Content-Length header; 0 where it is absent or no number (RFC 9110, section 8.6)."""
    if not given:
        return 0
    text = str(given)
    if not (text.isascii() and text.isdigit()):
        return 0
    return min(int(text), LARGEST_BODY) if len(text) < 16 else LARGEST_BODY


def announced_length(response: HttpResponseBase) -> int | None:
    """The Content-Length of a file's response; None for any other."""
    if getattr(response, "file_to_stream", None) is None:
        return None
    return length_of(response.headers.get("Content-Length"))


def may_stay_unread(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether a server that does not read this stream to its end may have done all that it had to."""
    if request.method == "HEAD" or status_of(response) in _BODILESS:
        return True
    # The server's own way of sending a file (PEP 3333) takes the file and leaves the content.
    return "wsgi.file_wrapper" in request.META and getattr(response, "file_to_stream", None) is not None


def is_cancelled(exception: BaseException) -> bool:
    """Whether the server has cancelled the request, which it does for a client that has gone away.

    A CancelledError that the application raises by itself is an error like any other.
    """
    if not isinstance(exception, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:  # a thread without a loop: the cancellation came through a synchronous middleware
        return True
    return task is None or task.cancelling() > 0


def qualified_name(exception: BaseException) -> str:
    """The exception's type as semantic conventions want it in `error.type`."""
    kind = type(exception)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
