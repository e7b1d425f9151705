"""The bytes of a page or a file: from a path, an http(s) URL or standard input; bounded in size and in time."""

from __future__ import annotations

import http.client
import sys
import urllib.error
import urllib.request
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from telemetry.compare.errors import InputError

LIMIT = 64 * 1024 * 1024
"""The most bytes that are read, and the most that they may unpack to."""
TIMEOUT = 30.0
"""Seconds that a server may be silent."""
# The formats in Prometheus's own order of preference: what it would store is what is compared.
_ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;version=0.0.4;q=0.5"
_GZIP = b"\x1f\x8b"


class Fetched(NamedTuple):
    """A text, and the Content-Type that a server gave it; empty for a file."""

    text: str
    content_type: str = ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Nobody is asked but the URL given; a redirect is also what a login page looks like."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def fetch(source: str, limit: int = LIMIT, timeout: float = TIMEOUT) -> Fetched:
    """What `source` (a path, an http or https URL, `-` for standard input) holds, unpacked where it is gzip.

    Raises:
        InputError: it cannot be read, answers with an error or a redirect, is larger than `limit` bytes, is
            broken gzip or not UTF-8.
    """
    content_type = ""
    if source.startswith(("http://", "https://")):
        raw, content_type = _ask(source, limit, timeout)
    elif "://" in source:
        raise InputError(f"{source}: not a file, and no URL of http:// or https://")
    elif source == "-":
        raw = sys.stdin.buffer.read(limit + 1)
    else:
        try:
            with Path(source).open("rb") as file:
                raw = file.read(limit + 1)
        except OSError as error:
            raise InputError(f"{source}: {error.strerror or error}") from error
    if len(raw) > limit:
        raise InputError(f"{source}: larger than {limit} bytes")
    if raw.startswith(_GZIP):
        raw = _unpack(source, raw, limit)
    try:
        return Fetched(raw.decode("utf-8-sig"), content_type)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"{source}, line {line}: not UTF-8") from error


def _ask(url: str, limit: int, timeout: float) -> tuple[bytes, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
    headers = {"Accept": _ACCEPT, "Accept-Encoding": "gzip"}
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the caller has looked at the scheme
        with opener.open(request, timeout=timeout) as response:
            raw = response.read(limit + 1)
            if len(raw) < min(int(response.headers.get("Content-Length", 0)), limit):
                raise InputError(f"{url}: the answer is cut off")
            return raw, response.headers.get("Content-Type", "")
    except InputError:
        raise
    except urllib.error.HTTPError as error:
        with error:
            to = error.headers.get("Location")
            raise InputError(f"{url}: status {error.code}" + (f", a redirect to {to}" if to else "")) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise InputError(f"{url}: {getattr(error, 'reason', None) or error}") from error


def _unpack(source: str, raw: bytes, limit: int) -> bytes:
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        text = unpacking.decompress(raw, limit + 1)
    except zlib.error as error:
        raise InputError(f"{source}: broken gzip: {error}") from error
    if len(text) > limit:
        raise InputError(f"{source}: unpacks to more than {limit} bytes")
    if not unpacking.eof:
        raise InputError(f"{source}: the gzip is cut off")
    return text
