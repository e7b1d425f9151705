"""Reading: everything that the living write and the dead left, without taking any lock.

All segments are opened before `total` is, and read through the open files: a segment that is folded
meanwhile is in that `total`, or is still whole in our hands, and never both or neither.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from telemetry.errors import SegmentCorrupt
from telemetry.samples import Key
from telemetry.store import _locks, _processes, layout, total
from telemetry.store._gathered import Gathered
from telemetry.store.layout import Header, Records
from telemetry.store.total import Total

SEGMENT = re.compile(r"seg-(\d+)-(\d+)\Z")


@dataclass(slots=True)
class Known:
    """What does not change in a segment, kept from one read to the next; and the cells of this read."""

    header: Header
    inode: int
    records: Records = field(default_factory=Records)
    data: bytes = b""
    serving: bool = False
    lost: float = 0.0
    whole: bool = True


@dataclass(slots=True)
class View:
    """One read of a directory. `total` is None where there is none that can be read."""

    total: Total | None
    gathered: Gathered = field(default_factory=Gathered)
    living: list[Known] = field(default_factory=list)
    ids: set[tuple[int, int]] = field(default_factory=set)
    files: int = 0
    bytes: int = 0
    corrupt: int = 0
    lost: float = 0.0


def read_header(fd: int, generation: int, number: int) -> tuple[Header, bytes]:
    """Whose segment an open file is, and the bytes of its head.

    Raises:
        SegmentCorrupt: it has no such header.
        OSError: it cannot be read.
    """
    head = os.pread(fd, layout.HEADER_BYTES, 0)
    if len(head) < layout.HEADER_BYTES:
        raise SegmentCorrupt(f"a segment of {len(head)} bytes has no header")
    header = layout.unpack_header(head)
    if (header.generation, header.id) != (generation, number):
        raise SegmentCorrupt(f"seg-{generation}-{number} holds the header of another: {header!r}")
    return header, head


def read_segment(
    fd: int, generation: int, number: int, known: Known | None = None, keys: dict[Key, Key] | None = None
) -> Known:
    """Read an open segment; of a damaged one the records before the damage. `keys` are those of other segments.

    Raises:
        SegmentCorrupt: not even its header can be used.
        OSError: it cannot be read.
    """
    stat = os.fstat(fd)
    header, head = read_header(fd, generation, number)
    if known is None or known.inode != stat.st_ino:
        known = Known(header, stat.st_ino, Records(keys={} if keys is None else keys))
    cells = memoryview(head).cast("d")
    known.serving, known.lost = bool(cells[layout.SERVING]), cells[layout.LOST]
    claimed = cells[layout.USED]
    fits = math.isfinite(claimed) and layout.FIRST <= claimed <= stat.st_size // 8
    used = int(claimed) if fits else layout.FIRST
    known.data = os.pread(fd, used * 8, 0)
    known.whole = fits and len(known.data) == used * 8
    if not known.whole:
        known.records, known.data = Records(keys=known.records.keys), b""
        return known
    try:
        known.records.extend(known.data, used)
    except SegmentCorrupt:
        known.whole = False
    return known


class Reader:
    """Reads one directory again and again; what cannot have changed is not parsed twice."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[tuple[int, int], Known] = {}
        self._keys: dict[Key, Key] = {}
        self._total: tuple[tuple[int, int, int], Total] | None = None

    def read(self) -> View:
        """Sum up the directory.

        Raises:
            OSError: it cannot be listed.
        """
        opened: list[tuple[tuple[int, int], int]] = []
        try:
            view = View(None)
            for entry in os.scandir(self._directory):
                with contextlib.suppress(FileNotFoundError):
                    self._open(entry, view, opened)
            self._read_total(view)
            newest = max((generation for (generation, _), _ in opened), default=0)
            generation = view.total.generation if view.total else newest
            for (segment_generation, number), fd in sorted(opened):
                if segment_generation != generation or (view.total and view.total.absorbed(number)):
                    continue
                view.ids.add((segment_generation, number))
                self._add(view, fd, segment_generation, number)
        finally:
            for _, fd in opened:
                os.close(fd)
        self._known = {key: known for key, known in self._known.items() if key in view.ids}
        return view

    @staticmethod
    def _open(entry: os.DirEntry[str], view: View, opened: list[tuple[tuple[int, int], int]]) -> None:
        size = entry.stat(follow_symlinks=False).st_size
        match = SEGMENT.match(entry.name)
        if match:
            try:
                fd = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError:
                raise
            except OSError:
                view.corrupt += 1
            else:
                opened.append(((int(match[1]), int(match[2])), fd))
        view.files += 1
        view.bytes += size

    def _read_total(self, view: View) -> None:
        try:
            stat = (self._directory / total.NAME).stat(follow_symlinks=False)
            stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if self._total is None or self._total[0] != stamp:
                found = total.load(self._directory)
                # replaced since the stat: the next read must not take the new one for the old
                self._total = (stamp, found) if found else None
        except FileNotFoundError:
            self._total = None
        except (OSError, SegmentCorrupt):
            self._total = None
            view.corrupt += 1
        if self._total is not None:
            view.total = self._total[1]
            view.gathered.merge(view.total.gathered)
            view.corrupt += view.total.corrupt
            view.lost += view.total.lost

    def _add(self, view: View, fd: int, generation: int, number: int) -> None:
        key = (generation, number)
        try:
            # asked before the cells are read: the cells of the dead are final
            living = _locks.is_locked(fd)
            known = self._known[key] = read_segment(fd, generation, number, self._known.get(key), self._keys)
        except (OSError, SegmentCorrupt):
            view.corrupt += 1
            return
        if living is None:
            living = not _processes.surely_dead(known.header.owner)
        if living:
            view.living.append(known)
        view.gathered.add(known.records, known.data, living=living, segment=number)
        view.lost += known.lost
        view.corrupt += not known.whole
        known.data = b""
