"""Reads a claims file as a stream of records; memory is bounded whatever the file holds."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from upstream.errors import Permanent
from upstream.text import shorten

COLUMNS = (
    "customer",
    "payer",
    "claim_id",
    "procedure_code",
    "billed_amount",
    "paid_amount",
    "service_date",
    "submitted_date",
    "paid_date",
    "denied",
    "denial_reason",
)
"""The columns that every claims file has; each once, in any order."""
OPTIONAL_COLUMNS = ("adjudicated_code",)
"""The columns that a claims file may have besides, anywhere among the others."""

MAX_FIELD = 8_192
"""The longest field, in characters."""
MAX_LINE = 65_536
"""The longest line, in bytes."""

csv.field_size_limit(MAX_FIELD)


class FileRejected(Permanent, ValueError):
    """The file as a whole cannot be taken, and nothing of it is stored; the message tells where and why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row: the line that it begins on (the header is line 1) and its values by column.

    `broken` tells why the row could not be split into columns; `values` then holds what there is.
    """

    line: int
    values: dict[str, str]
    broken: str = ""


def read(stream: IO[bytes]) -> Iterator[Record]:
    """The records of a CSV file (RFC 4180, UTF-8 with or without a byte order mark).

    Raises:
        FileRejected: the header is wrong, a byte is not UTF-8, a field or line is too long, a quote
            is not closed, the last row is cut off, or there is no row. The message names the line.
    """
    lines = _Lines(stream)
    rows = csv.reader(lines, strict=True)
    header = _header(_next(rows, lines))
    empty = True
    while True:
        line = lines.number + 1
        fields = _next(rows, lines)
        if fields is None:
            break
        if not fields:
            continue
        empty = False
        broken = ""
        if len(fields) != len(header):
            if len(fields) < len(header) and not lines.ended:
                raise FileRejected(
                    f"line {line}: the file ends in the middle of a row ({len(fields)} of {len(header)} columns, "
                    "no line end); it was cut off on its way"
                )
            broken = f"{len(fields)} columns where the header has {len(header)}"
        yield Record(line, dict(zip(header, fields, strict=False)), broken)
    if empty:
        raise FileRejected("the file holds no row below its header")


class _Lines:
    """Decoded lines, none longer than MAX_LINE; counts them and knows whether the last had an end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.number = 0
        self.ended = True

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._stream.readline(MAX_LINE + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > MAX_LINE:
            raise FileRejected(
                f"line {self.number}: longer than {MAX_LINE:,} bytes; a field may have {MAX_FIELD:,} characters "
                f"(it begins with {shorten(line[:200].decode('utf-8', 'replace'))!r})"
            )
        if self.number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        self.ended = line.endswith(b"\n")
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise FileRejected(
                f"line {self.number}: byte 0x{line[error.start]:02x} at position {error.start + 1} is not UTF-8; "
                "save the file as UTF-8"
            ) from None


def _next(rows: Iterator[list[str]], lines: _Lines) -> list[str] | None:
    first = lines.number + 1
    try:
        return next(rows, None)
    except csv.Error as error:
        where = f"line {first}" if lines.number <= first else f"lines {first} to {lines.number}"
        if "field limit" in str(error):
            raise FileRejected(
                f"{where}: a field is longer than {MAX_FIELD:,} characters, or a quote is never closed"
            ) from None
        if "unexpected end" in str(error):
            raise FileRejected(f"{where}: the file ends inside a quoted field; it was cut off on its way") from None
        raise FileRejected(f"{where}: not CSV: {error}") from None


def _header(fields: list[str] | None) -> list[str]:
    if fields is None:
        raise FileRejected(f"the file is empty; line 1 must name the columns {_valid()}")
    names = [name.strip().lower() for name in fields]
    known = COLUMNS + OPTIONAL_COLUMNS
    faults = []
    if missing := [name for name in COLUMNS if name not in names]:
        faults.append(f"missing: {', '.join(missing)}")
    if unknown := [name for name in names if name not in known]:
        faults.append(f"not known: {shorten(', '.join(map(repr, unknown)), 200)}")
    if twice := sorted({name for name in names if name in known and names.count(name) > 1}):
        faults.append(f"more than once: {', '.join(twice)}")
    if faults:
        raise FileRejected(f"line 1: wrong header ({'; '.join(faults)}); valid is {_valid()}")
    return names


def _valid() -> str:
    return f"{','.join(COLUMNS)}, and optionally {','.join(OPTIONAL_COLUMNS)}"
