from __future__ import annotations

import io
import re
import tracemalloc
from typing import Any

import pytest

from upstream.ingestion.reader import COLUMNS, OPTIONAL_COLUMNS, FileRejected, read
from upstream.tests.conftest import line, stream

HEADER = ",".join(COLUMNS)
GERMAN = "Gefälle"


class Huge(io.RawIOBase):
    """A header and then one field of 200 MB, made as it is read; counts what was taken."""

    def __init__(self, filler: bytes) -> None:
        self._left = 200 * 1024 * 1024
        self._filler = filler
        self._head = f"{HEADER}\n".encode() + b'mercy,"'
        self.taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._head:
            data, self._head = self._head, b""
        else:
            data = (self._filler * (len(buffer) // len(self._filler) + 1))[: min(len(buffer), self._left)]
            self._left -= len(data)
        buffer[: len(data)] = data
        self.taken += len(data)
        return len(data)


class TestRecords:
    def test_values_by_column_and_line(self) -> None:
        first, second = read(stream(line(), "", line(claim_id='"C\n2"')))
        assert (2, "C-1", "") == (first.line, first.values["claim_id"], first.broken)
        assert (4, "C\n2", "") == (second.line, second.values["claim_id"], second.broken)

    @pytest.mark.parametrize("header", [HEADER, HEADER.upper(), f"\ufeff{HEADER}", HEADER.replace(",", " , ")])
    def test_header_may_be_written_so(self, header: str) -> None:
        (record,) = read(io.BytesIO(f"{header}\r\n{line()}".encode()))
        assert line() == ",".join(record.values[name] for name in COLUMNS)

    def test_columns_in_any_order(self) -> None:
        names = sorted(COLUMNS)
        (record,) = read(io.BytesIO(f"{','.join(names)}\n{','.join(names)}\n".encode()))
        assert {name: name for name in COLUMNS} == record.values

    @pytest.mark.parametrize("place", [0, 5, len(COLUMNS)])
    def test_optional_column_anywhere(self, place: int) -> None:
        names = [*COLUMNS[:place], *OPTIONAL_COLUMNS, *COLUMNS[place:]]
        (record,) = read(io.BytesIO(f"{','.join(names).title()}\n{','.join(names)}\n".encode()))
        assert {name: name for name in names} == record.values

    @pytest.mark.parametrize(("row", "count"), [("mercy,aetna", 2), (line() + ",x", 12)])
    def test_row_with_other_columns_is_broken(self, row: str, count: int) -> None:
        broken, good = read(stream(row, line()))
        assert f"{count} columns where the header has 11" == broken.broken
        assert "" == good.broken


class TestRefusedFile:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", f"the file is empty; line 1 must name the columns {HEADER}, and optionally adjudicated_code"),
            (f"{HEADER}\n".encode(), "the file holds no row below its header"),
            (
                HEADER.replace("payer,", "").encode(),
                f"line 1: wrong header (missing: payer); valid is {HEADER}, and optionally adjudicated_code",
            ),
            (f"{HEADER},colour\n".encode(), "line 1: wrong header (not known: 'colour')"),
            (f"{HEADER},payer\n".encode(), "line 1: wrong header (more than once: payer)"),
            (f"adjudicated_code,{HEADER},adjudicated_code\n".encode(), "header (more than once: adjudicated_code)"),
            (HEADER.replace(",", ";").encode(), "line 1: wrong header (missing: customer"),
            (f"{HEADER}\n{line()}\n".encode("utf-16"), "line 1: byte 0xff at position 1 is not UTF-8"),
            (f"{HEADER}\n{line()}\n{line(payer=GERMAN)}\n".encode("latin-1"), "line 3: byte 0xe4 at position 10"),
            (f"{HEADER}\n{line()}\nmercy,aet".encode(), "line 3: the file ends in the middle of a row (2 of 11"),
            (f'{HEADER}\n{line()}\nmercy,"aet'.encode(), "line 3: the file ends inside a quoted field"),
            (f'{HEADER}\n{line()}\nmercy,"aet"na\n'.encode(), "line 3: not CSV"),
            (f"{HEADER}\n{line(payer='x' * 8193)}\n".encode(), "line 2: a field is longer than 8,192 characters"),
            (
                f'{HEADER}\n"{line()}\n'.encode() + f"{line()}\n".encode() * 999,
                "a field is longer than 8,192 characters, or a quote is never closed",
            ),
        ],
    )  # fmt: skip
    def test_names_the_offender(self, content: bytes, message: str) -> None:
        with pytest.raises(FileRejected, match=re.escape(message)):
            list(read(io.BytesIO(content)))

    def test_unclosed_quote_is_told_with_the_line_it_begins_on(self) -> None:
        content = f'{HEADER}\n{line()}\n"'.encode() + f"{line()}\n".encode() * 999
        with pytest.raises(FileRejected, match=r"^lines 3 to [0-9]+: "):
            list(read(io.BytesIO(content)))

    @pytest.mark.parametrize("filler", [b"x", b"xxxxxxxxxxxxxxx\n"])
    def test_field_of_200_mb_is_refused_early_and_in_little_memory(self, filler: bytes) -> None:
        huge = Huge(filler)
        source = io.BufferedReader(huge)
        tracemalloc.start()
        try:
            with pytest.raises(FileRejected, match=r"^lines? 2.*8,192 characters"):
                list(read(source))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert huge.taken < 1_000_000
        assert peak < 2_000_000
