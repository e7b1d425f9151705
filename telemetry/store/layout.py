"""The byte format of a segment: a header, a scratch area, then records that are only ever appended.

Everything is counted in cells of 8 bytes, in the machine's own byte order (the files never leave it).

    cell 0        magic, 8 bytes
    cells 1..10   generation, id, owner (pid, start ticks, pid namespace), anchor (the same three),
                  and two cells with the 16 bytes of the boot id; unsigned, written once
    cell 11       CRC-32 of the cells 0..10
    cell 12 USED  where the next record begins, as a double: the commit of all records before it
    cell 13 SERVING   1.0 once this process has answered a scrape
    cell 14 LOST  measurements that found no room
    cells 32..    SCRATCH: where those measurements are written, and never read
    cell FIRST    the records

A record: u32 kind, u32 payload length in bytes, u32 layout, u32 CRC-32 of these and the payload;
the payload, JSON in ASCII, padded with zeros to a whole cell; then, for a series, its value cells and
for each bucket of a layout with exemplars, six cells: value and time (doubles), trace id high and low,
span id (unsigned) and the check word. `layout` is 0 for a layout and for a series the cell at which the
record of its layout stands: a place that is known only once it is taken, so that no series, not even
one that a finaliser makes in between, comes before its layout.
"""

from __future__ import annotations

import json
import math
import struct
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from telemetry.errors import SegmentCorrupt, SpecError
from telemetry.samples import Exemplar, Key
from telemetry.spec import Kind, Layout
from telemetry.store._processes import Owner

MAGIC = b"TLMSEG01"
USED, SERVING, LOST = 12, 13, 14
SCRATCH = 32
SCRATCH_CELLS = 1024
FIRST = SCRATCH + SCRATCH_CELLS
HEADER_BYTES = SCRATCH * 8
EXEMPLAR_CELLS = 6
MAX_KEY_BYTES = 64 * 1024

_HEADER = struct.Struct("=8s8Q16s")
_RECORD = struct.Struct("=4I")
_CHECKED = struct.Struct("=3I")
_LAYOUT, _SERIES = 1, 2
_WORD = (1 << 64) - 1
# an exemplar of zeros must not look like a whole one
_CHECK_SEED = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True)
class Header:
    """Whose segment this is. `anchor` is the parent that makes the owner's successors, if there is one."""

    generation: int
    id: int
    owner: Owner
    anchor: Owner | None = None

    def pack(self) -> bytes:
        """The cells 0 to 11."""
        anchor = self.anchor or Owner(0)
        boot = uuid.UUID(self.owner.boot).bytes if self.owner.boot else bytes(16)
        owner = self.owner
        packed = _HEADER.pack(
            MAGIC, self.generation, self.id,
            owner.pid, owner.ticks, owner.namespace,
            anchor.pid, anchor.ticks, anchor.namespace,
            boot,
        )  # fmt: skip
        return packed + struct.pack("=Q", zlib.crc32(packed))


def unpack_header(data: bytes) -> Header:
    """Read the cells 0 to 11.

    Raises:
        SegmentCorrupt: they are not what `Header.pack` wrote.
    """
    packed, check = data[: _HEADER.size], data[_HEADER.size : _HEADER.size + 8]
    if len(check) < 8 or struct.unpack("=Q", check)[0] != zlib.crc32(packed) or not packed.startswith(MAGIC):
        raise SegmentCorrupt(f"the header begins with {data[:8]!r} and does not fit its check sum")
    _, generation, number, pid, ticks, space, anchor_pid, anchor_ticks, anchor_space, boot = _HEADER.unpack(packed)
    name = str(uuid.UUID(bytes=boot)) if any(boot) else ""
    anchor = Owner(anchor_pid, anchor_ticks, anchor_space, name) if anchor_pid else None
    return Header(generation, number, Owner(pid, ticks, space, name), anchor)


def check_width(layout: Layout) -> None:
    """Refuse a layout whose series would not fit into the scratch area.

    Raises:
        SpecError: it has too many edges.
    """
    if layout.width > SCRATCH_CELLS:
        raise SpecError(
            f"layout {layout.name!r}: a series needs {layout.width} cells for its {len(layout.edges)} edges; "
            f"at most {SCRATCH_CELLS} cells fit"
        )


def series_cells(layout: Layout) -> int:
    """Cells of one series, exemplars included."""
    return layout.width + (EXEMPLAR_CELLS * (len(layout.edges) + 1) if layout.exemplars else 0)


def neutral(layout: Layout) -> Iterator[tuple[int, float]]:
    """The cells of a new series that do not begin at 0: offset and value."""
    if layout.kind is Kind.MAX:
        yield 0, -math.inf
    if layout.min_max:
        yield layout.width - 2, math.inf
        yield layout.width - 1, -math.inf


def layout_record(layout: Layout, **more: Any) -> bytes:
    """The record that defines a layout; `more` is kept beside it."""
    fields = {"name": layout.name, "kind": layout.kind.value, "labels": layout.labels, "edges": layout.edges}
    return _record(_LAYOUT, 0, {**fields, "min_max": layout.min_max, "exemplars": layout.exemplars, **more})


def series_record(place: int, key: Key) -> bytes:
    """The head of a series whose layout stands at cell `place`; its own cells follow.

    Raises:
        ValueError: the key is too long.
        TypeError: the key holds what JSON cannot.
    """
    return _record(_SERIES, place, key)


def _record(kind: int, place: int, value: object) -> bytes:
    payload = json.dumps(value, separators=(",", ":")).encode("ascii")
    if len(payload) > MAX_KEY_BYTES:
        raise ValueError(f"{payload[:60]!r}... has {len(payload)} bytes; at most {MAX_KEY_BYTES} fit")
    head = _CHECKED.pack(kind, len(payload), place)
    check = zlib.crc32(payload, zlib.crc32(head))
    return head + struct.pack("=I", check) + payload + bytes(-len(payload) % 8)


@dataclass(slots=True)
class Defined:
    """A layout, what was kept beside it, and its series: keys, and the cell at which their values begin."""

    layout: Layout
    extra: dict[str, Any]
    series: list[tuple[Key, int]] = field(default_factory=list)


@dataclass(slots=True)
class Records:
    """What stands where in a run of records; it can go on where it stopped, since nothing is moved.

    `keys` makes equal keys one object: workers of a service have the same series, and an object that
    is the same is found faster than one that is equal.
    """

    end: int = FIRST
    tables: dict[int, Defined] = field(default_factory=dict)
    """By the cell at which the record of the layout stands."""
    keys: dict[Key, Key] = field(default_factory=dict)

    def extend(self, data: bytes | memoryview, used: int) -> None:
        """Take in the records up to cell `used`.

        Raises:
            SegmentCorrupt: a record is not whole; those before it are kept.
        """
        while self.end < used:
            self._take(data, used)

    def _take(self, data: bytes | memoryview, used: int) -> None:
        at = self.end * 8
        if at + _RECORD.size > used * 8:
            raise SegmentCorrupt(f"cell {self.end}: a record reaches beyond the end at cell {used}")
        kind, length, place, check = _RECORD.unpack_from(data, at)
        payload = bytes(data[at + _RECORD.size : min(at + _RECORD.size + length, used * 8)])
        if len(payload) < length or zlib.crc32(payload, zlib.crc32(data[at : at + _CHECKED.size])) != check:
            raise SegmentCorrupt(f"cell {self.end}: a record of {length} bytes does not fit its check sum")
        first = self.end + (_RECORD.size + length + 7) // 8
        try:
            value = json.loads(payload)
            if kind == _LAYOUT:
                self.tables[self.end] = _defined(value)
                self.end = first
                return
            table = self.tables[place]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SegmentCorrupt(f"cell {self.end}: kind {kind}, layout at cell {place}: {error!r}") from error
        end = first + series_cells(table.layout)
        if kind != _SERIES or end > used:
            raise SegmentCorrupt(f"cell {self.end}: kind {kind}, ending at cell {end} of {used}")
        key: Key = _tuples(value)
        table.series.append((self.keys.setdefault(key, key), first))
        self.end = end


def _defined(value: dict[str, Any]) -> Defined:
    layout = Layout(
        value.pop("name"), Kind(value.pop("kind")), tuple(value.pop("labels")), tuple(value.pop("edges")),
        value.pop("min_max"), value.pop("exemplars"),
    )  # fmt: skip
    return Defined(layout, value)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def write_exemplar(cells: memoryview[float], words: memoryview[int], at: int, exemplar: Exemplar) -> None:
    """Write the six cells of an exemplar from cell `at` on.

    It has no lock with its readers, who may copy it half old and half new; the check word, over all
    others and written with them, tells. A sequence number would need the copy to run in one direction.
    """
    cells[at] = exemplar.value
    cells[at + 1] = exemplar.time
    words[at + 2] = exemplar.trace_id >> 64 & _WORD
    words[at + 3] = exemplar.trace_id & _WORD
    words[at + 4] = exemplar.span_id & _WORD
    words[at + 5] = _check(words, at)


def read_exemplar(cells: memoryview[float], words: memoryview[int], at: int) -> Exemplar | None:
    """The exemplar at cell `at`; None where there is none, or not a whole one."""
    if not cells[at + 1] or words[at + 5] != _check(words, at):
        return None
    return Exemplar(cells[at], cells[at + 1], words[at + 2] << 64 | words[at + 3], words[at + 4])


def _check(words: memoryview[int], at: int) -> int:
    check = _CHECK_SEED
    for word in words[at : at + 5]:
        check = (check * 31 ^ word) & _WORD
    return check
