"""The cells that one process writes: in memory first, then in a mapped file of its own."""

from __future__ import annotations

import errno
import mmap
import os
import secrets
from pathlib import Path
from typing import Protocol

from telemetry.errors import StoreUnavailable
from telemetry.samples import Exemplar, Key
from telemetry.spec import Layout
from telemetry.store import _locks, layout

MEMORY_BYTES = 16 * 1024
FILE_BYTES = 64 * 1024
MAX_BYTES = 64 * 1024 * 1024
TEMPORARY = "tmp-"


class Holder(Protocol):
    """Who writes values: it has the very view that the segment has, changed in the same instant."""

    cells: memoryview[float]


class Segment:
    """An append-only run of records, first in memory; `create_file` moves it and keeps every index.

    Not safe under threads, but re-entrant: a finaliser or a signal handler may append while we do.
    Nothing ever closes a mapping: views of it may be in use, and it goes with the last of them.
    """

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        self.header: layout.Header | None = None
        self.path: Path | None = None
        self.lock_fd = -1
        self._places: dict[str, int] = {}
        self._next = layout.FIRST
        self._appending = 0
        self._raw = memoryview(b"")
        self._install(bytearray(MEMORY_BYTES))
        self.cells[layout.USED] = float(layout.FIRST)

    def _place(self, defined: Layout) -> int:
        """The cell at which this layout's record stands; it gets one at the first call."""
        place = self._places.get(defined.name)
        if place is None:
            place = self._places[defined.name] = self._append(layout.layout_record(defined))
        return place

    def add_series(self, defined: Layout, key: Key) -> int:
        """Append a series with neutral values and return its first cell.

        Raises:
            StoreUnavailable: there is no room.
            ValueError: the key is too long.
            TypeError: the key holds what JSON cannot.
        """
        head = layout.series_record(self._place(defined), key)
        return self._append(head, defined) + len(head) // 8

    def _append(self, head: bytes, defined: Layout | None = None) -> int:
        """Append a record, for a series with the cells that `defined` needs; the cell at which it begins."""
        values = len(head) // 8
        size = values + (layout.series_cells(defined) if defined else 0)
        # no call stands between the test and the taking, so nothing can come in between
        while True:
            at = self._next
            if at + size <= self._capacity:
                self._next = at + size
                break
            self._grow(at + size)
        self._appending += 1
        try:
            self._raw[at * 8 : (at + values) * 8] = head
            if defined:
                for offset, value in layout.neutral(defined):
                    self.cells[at + values + offset] = value
        finally:
            self._appending -= 1
            # the outermost commits for all: a reader must not find a hole before a whole record
            if not self._appending:
                self.cells[layout.USED] = float(self._next)
        return at

    def _grow(self, cells: int) -> None:
        size = _at_least(cells * 8, self._capacity * 8)
        if self.path is None:
            buffer: bytearray | mmap.mmap = bytearray(size)
        else:
            try:
                fd = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW)
                try:
                    allocate(fd, self._capacity * 8, size)
                    buffer = mmap.mmap(fd, size)
                finally:
                    os.close(fd)
            except (OSError, ValueError) as error:
                raise StoreUnavailable(f"{self.path}: cannot grow to {size} bytes: {error}") from error
        self._install(buffer)

    def _install(self, buffer: bytearray | mmap.mmap, *, moving: bool = False) -> None:
        """Go on in `buffer`, which is a longer mapping of our file or gets a copy of what stands here."""
        raw = memoryview(buffer)
        cells, words, capacity, holder = raw.cast("d"), raw.cast("Q"), len(raw) // 8, self._holder
        copied = slice(0, len(self._raw))
        copy = moving or self.path is None
        if capacity * 8 < len(self._raw):
            if moving:
                raise StoreUnavailable("the segment grew while it was being moved")
            return  # a finaliser grew it further meanwhile
        # from here on nothing is called or allocated, so that nothing can be recorded in between
        if copy:
            raw[copied] = self._raw
        self._raw = raw
        self.cells = cells
        self.words = words
        self._capacity = capacity
        holder.cells = cells

    def create_file(self, directory: Path, header: layout.Header) -> None:
        """Move what stands in memory into a new, locked, allocated file, and show it under its name.

        The file is locked and written before it is renamed, so that no segment is ever seen unlocked
        while its owner lives. Called under the directory's lock.

        Raises:
            OSError: the file cannot be had.
        """
        temporary = directory / f"{TEMPORARY}{secrets.token_hex(8)}"
        path = directory / segment_name(header.generation, header.id)
        size = _at_least(self._capacity * 8, FILE_BYTES)
        lock_fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            if not _locks.try_lock(lock_fd):
                raise OSError(errno.EAGAIN, "a new file is already locked", os.fspath(temporary))
            # a mapping keeps a copy of its descriptor, which a forked child may be unable to close:
            # it must not be one that shares the open file of the lock
            fd = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW)
            try:
                allocate(fd, 0, size)
                mapped = mmap.mmap(fd, size)
            finally:
                os.close(fd)
            self._install(mapped, moving=True)
            packed = header.pack()
            self._raw[: len(packed)] = packed
            self.cells[layout.SERVING] = 0.0
            temporary.rename(path)
        except BaseException:
            self.leave_file()
            os.close(lock_fd)
            temporary.unlink(missing_ok=True)
            raise
        self.release()
        self.header, self.path, self.lock_fd = header, path, lock_fd

    def leave_file(self) -> None:
        """Keep everything in memory again; the file, if there still is one, is no longer ours."""
        if isinstance(self._raw.obj, mmap.mmap):
            self._install(bytearray(len(self._raw)), moving=True)
            self.release()
            self.header = self.path = None

    def in_place(self) -> bool:
        """Whether the file that we write is still the one of its name.

        Raises:
            OSError: that cannot be seen.
        """
        if self.path is None:
            return False
        try:
            return self.path.stat(follow_symlinks=False).st_ino == os.fstat(self.lock_fd).st_ino
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Close the lock: this process no longer owns the file."""
        if self.lock_fd >= 0:
            os.close(self.lock_fd)
            self.lock_fd = -1

    def write_exemplar(self, defined: Layout, slot: int, bucket: int, exemplar: Exemplar) -> None:
        """Keep the newest exemplar of one bucket."""
        at = slot + defined.width + bucket * layout.EXEMPLAR_CELLS
        layout.write_exemplar(self.cells, self.words, at, exemplar)

    def snapshot(self) -> bytes:
        """A copy of all committed cells."""
        return bytes(self._raw[: int(self.cells[layout.USED]) * 8])


def segment_name(generation: int, number: int) -> str:
    """The file name of a segment."""
    return f"seg-{generation}-{number}"


def allocate(fd: int, start: int, end: int) -> None:
    """Have the file's blocks from byte `start` to `end`: a store into a hole of a full disk is SIGBUS.

    Raises:
        OSError: there is no room.
    """
    try:
        os.posix_fallocate(fd, start, end - start)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        position = start
        while position < end:
            position += os.pwrite(fd, bytes(min(end - position, 1 << 20)), position)


def _at_least(needed: int, size: int) -> int:
    while size < needed:
        size *= 2
    if size > MAX_BYTES:
        raise StoreUnavailable(f"a process's series would need {size} bytes; at most {MAX_BYTES} are given")
    return size
