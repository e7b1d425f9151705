"""The store that all processes of a service share: this process's segment, and a read of all."""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Callable
from threading import RLock

from telemetry.errors import SegmentCorrupt, SpecError
from telemetry.samples import Exemplar, Key, ProcessInfo, Reading
from telemetry.spec import Layout
from telemetry.store import _fork, _processes, layout, reaper, total
from telemetry.store._locks import DirectoryLock
from telemetry.store._processes import Owner
from telemetry.store.directory import Directory
from telemetry.store.layout import Records
from telemetry.store.merge import Known, Reader, View
from telemetry.store.segment import Segment
from telemetry.store.table import Table
from telemetry.store.total import Total

_logger = logging.getLogger("telemetry")

PATIENCE = 2.0
"""How long, in seconds, the first attach waits for the directory's lock; a retry waits RETRY_PATIENCE."""
RETRY_PATIENCE = 0.05
RETRY_SECONDS = 10.0
"""How long a process that could not attach serves from memory before it tries again."""


_NEWEST = 2**62
"""Stands for the id of a segment that has none yet, when layouts are compared by age."""


class MappedStore:
    """Series of all processes that use one directory.

    Nothing is made on disk before the first record, `attach` or `serve`. Where the files cannot be had
    the process goes on in memory, seen by its own reads only, and moves into a file when that succeeds.
    `on_attach` is called each time this process has come into a file, under the lock: it must not wait.
    No failure of files is raised: `degraded` says it, measurements without room are counted in `lost`.
    """

    def __init__(self, directory: Directory, on_attach: Callable[[], None] | None = None) -> None:
        self.directory = directory
        self._on_attach = on_attach
        self.degraded = ""
        self._tables: dict[str, Table] = {}
        self._started = time.time()
        self._instance = str(uuid.uuid4())
        self._begin()
        _fork.watch(self)

    def _begin(self) -> None:
        """Be a process that has recorded nothing."""
        self.lock = RLock()
        self._reading = RLock()
        self._reader = Reader(self.directory.path)
        self._busy = False
        self._closed = False
        self._attached_to = ""
        self._tried = False
        self._retry_at = 0.0
        self._messages: list[str] = []
        self._said: set[str] = set()
        self._empty()

    def _empty(self) -> None:
        self.cells = memoryview(b"").cast("d")
        self._segment = Segment(self)
        for table in self._tables.values():
            table.forget()

    def table(self, layout_: Layout) -> Table:
        with self.lock:
            table = self._tables.get(layout_.name)
            if table is None:
                layout.check_width(layout_)
                table = self._tables[layout_.name] = Table(self, layout_)
            elif table.layout != layout_:
                raise SpecError(f"layout {layout_.name!r} is already {table.layout!r}; it cannot be {layout_!r} too")
            return table

    def bind(self, table: Table, key: Key) -> int:
        self._attach_if_due()
        try:
            slot = self._segment.add_series(table.layout, key)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not reach the application
            # not kept in the table's slots, so that each measurement asks again and is counted
            self._segment.cells[layout.LOST] += 1.0
            self._say("no room", f"{table.layout.name}: a measurement is lost, and more may be (counted): {error}")
            return layout.SCRATCH
        table.slots[key] = slot
        return slot

    def write_exemplar(self, table: Table, slot: int, bucket: int, exemplar: Exemplar) -> None:
        if slot != layout.SCRATCH:
            self._segment.write_exemplar(table.layout, slot, bucket, exemplar)

    def attach(self) -> None:
        """Have a segment in its place from now on, and log what went wrong since the last time.

        For moments when waiting hurts nobody: when a worker has started, at a scrape, every few seconds.
        """
        with self.lock:
            self._attach_if_due()
        self._come_back(None)
        self._log()

    def serve(self) -> None:
        """Tell the others that this process answers scrapes (`Reading.serving_anchors`)."""
        self.attach()
        with self.lock:
            self._segment.cells[layout.SERVING] = 1.0

    def close(self) -> None:
        with self.lock:
            self._segment.release()
            self._closed = True
            self._empty()
        self._log()

    def _attach_if_due(self) -> None:
        if self._busy or self._closed or self._segment.path is not None or time.monotonic() < self._retry_at:
            return
        self._busy = True
        try:
            self._attach()
            self.degraded = ""
            self._tell()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not reach the application
            self.degraded = str(error)
            self._retry_at = time.monotonic() + RETRY_SECONDS
            self._say("memory", f"{self.directory.path} cannot be used, this process serves from memory: {error}")
        finally:
            self._tried = True
            self._busy = False

    def _attach(self) -> None:
        path = self.directory.path
        self.directory.prepare()
        with DirectoryLock(path / "lock", RETRY_PATIENCE if self._tried else PATIENCE):
            header = reaper.admit(path, _processes.current(), _processes.anchor())
            current = total.load(path)
            self._segment.create_file(path, header)
            self._attached_to = current.instance_id if current else ""

    def _tell(self) -> None:
        if self._on_attach is not None:
            try:
                self._on_attach()
            except Exception as error:  # noqa: BLE001 - the caller's hook, on the application's way
                self._say("hook", f"what is called after an attach failed: {error!r}")

    def read(self) -> Reading:
        with self._reading:
            view, reading = self._read()
        if reading.serving_anchors > 1:
            self._say(
                "shared",
                f"{reading.serving_anchors} services share the store in {self.directory.path} and each shows the "
                "sum of all; give each a TELEMETRY_STORE_DIR or an OTEL_SERVICE_NAME of its own",
            )
        self._come_back(view.total)
        self._log()
        return reading

    def _read(self) -> tuple[View, Reading]:
        with self.lock:
            mine = None if self._segment.path else self._segment.snapshot()
        try:
            view = self._reader.read()
        except OSError:
            view = View(None)
        if mine is not None and self._attached_meanwhile():
            # it came into a file while we read: that file or this copy, never both
            return self._read()
        owner = _processes.current()
        processes = [
            ProcessInfo(known.header.owner.pid, known.header.owner.ticks, known.header.id)
            for known in view.living
            if known.header.owner.namespace == owner.namespace
        ]
        if mine is not None:
            view.gathered.add(_records(mine), mine, living=True, segment=_NEWEST)
            view.lost += memoryview(mine).cast("d")[layout.LOST]
            processes.append(ProcessInfo(owner.pid, owner.ticks, 0))
        tables, conflicts = view.gathered.newest()
        return view, Reading(
            view.total.generation if view.total else 0,
            view.total.start_time if view.total else self._started,
            view.total.instance_id if view.total else self._instance,
            tables,
            tuple(processes),
            _serving(view.living),
            conflicts,
            view.corrupt,
            view.files,
            view.bytes,
            view.lost,
        )

    def _attached_meanwhile(self) -> bool:
        with self.lock:
            return self._segment.path is not None

    def _come_back(self, seen: Total | None) -> None:
        """Make a new file where ours was taken away (a wiped directory), with all that it held."""
        with self.lock, contextlib.suppress(OSError, SegmentCorrupt):
            header = self._segment.header
            if header is None or self._busy:
                return
            in_place = self._segment.in_place()
            if in_place and (seen is None or seen.generation <= header.generation):
                return
            # read again, after the look at our file: a reaper shows the total before it takes the file
            current = total.load(self.directory.path)
            # by its id, for a wiped directory counts its generations from 1 again
            if current and current.instance_id == self._attached_to and current.absorbed(header.id):
                # taken for dead: what was written until then is counted already
                self._segment.release()
                self._empty()
            else:
                self._segment.leave_file()
            self._attach_if_due()

    def _say(self, topic: str, message: str) -> None:
        """Log once, but not under our lock: a logging handler may wait for it to record."""
        if topic not in self._said:
            self._said.add(topic)
            self._messages.append(message)

    def _log(self) -> None:
        while self._messages:
            with contextlib.suppress(IndexError):
                _logger.warning("telemetry store: %s", self._messages.pop(0))

    def before_fork(self) -> None:
        self._reading.acquire()
        self.lock.acquire()

    def after_fork_in_parent(self) -> None:
        self.lock.release()
        self._reading.release()

    def after_fork_in_child(self) -> None:
        self._segment.release()
        self._begin()


def _records(data: bytes) -> Records:
    records = Records()
    records.extend(data, len(data) // 8)
    return records


def _serving(living: list[Known]) -> int:
    """How many services answer scrapes: the parents of serving workers, or the processes themselves."""
    roots: set[Owner] = set()
    for known in living:
        if known.serving:
            roots.add(known.header.anchor or known.header.owner)
    if len(roots) > 1:
        # a server that upgrades itself (gunicorn's USR2) is the parent of its successor for a while
        pids = {root.pid for root in roots}
        roots = {root for root in roots if _processes.parent_of(root) not in pids}
    return len(roots)
