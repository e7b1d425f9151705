"""Which format a scraper gets, from its Accept header, and whether it takes gzip (RFC 9110, section 12.5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

_QUALITY = re.compile(r"(?:0?\.\d+|[01]\.?|[01]\.\d+)\Z", re.ASCII)


class Format(StrEnum):
    """A format of the page; the value is its Content-Type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


_OFFERS = {
    ("text/plain", ""): Format.TEXT,
    ("text/plain", "0.0.4"): Format.TEXT,
    ("text/*", ""): Format.TEXT,
    ("*/*", ""): Format.TEXT,
    ("application/openmetrics-text", ""): Format.OPENMETRICS,
    ("application/openmetrics-text", "1.0.0"): Format.OPENMETRICS,
}
"""What is given for a media range and a version. OpenMetrics is given to nobody who does not name it,
and never in a version that is not asked for."""


def choose(accept: str | None) -> Format:
    """The format that the Accept header values most, the first named among equals.

    `Format.TEXT` where the header is missing, makes no sense or names nothing that we have:
    a page that the scraper may understand is worth more than a 406.
    """
    best, most = Format.TEXT, 0.0
    for media, parameters, quality in _ranges(accept):
        offer = _OFFERS.get((media, parameters.get("version", "")))
        if offer is not None and quality > most:
            best, most = offer, quality
    return best


def gzip_accepted(accept_encoding: str | None) -> bool:
    """Whether the Accept-Encoding header allows gzip, by its name or by `*`; `q=0` forbids."""
    qualities = {coding: quality for coding, _, quality in _ranges(accept_encoding)}
    return qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0))) > 0


def _ranges(header: str | None) -> Iterator[tuple[str, dict[str, str], float]]:
    """Each element of the header with its parameters and its quality, 0 where that is not a number from 0 to 1."""
    for element in (header or "").lower().split(","):
        name, *rest = (part.strip() for part in element.split(";"))
        parameters = {}
        for part in rest:
            key, _, value = part.partition("=")
            parameters[key.strip()] = value.strip().strip('"')
        given = parameters.get("q", "1")
        quality = float(given) if _QUALITY.match(given) else 0.0
        yield name, parameters, quality if quality <= 1 else 0.0
