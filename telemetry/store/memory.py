"""A store in this process's memory: for tests, and where files cannot be had."""

from __future__ import annotations

import math
import os
import time
import uuid
from threading import RLock

from telemetry.errors import SpecError
from telemetry.samples import Exemplar, Key, ProcessInfo, Reading, TableReading
from telemetry.spec import Kind, Layout
from telemetry.store import _fork
from telemetry.store.layout import check_width
from telemetry.store.table import Table


class MemoryStore:
    """Keeps this process's series only; nothing is shared, nothing survives.

    `degraded` says why there is no shared store, empty where none is wanted.
    """

    def __init__(self, degraded: str = "") -> None:
        self.degraded = degraded
        self._tables: dict[str, Table] = {}
        self._serves = False
        self._start = time.time()
        self._instance = str(uuid.uuid4())
        self._begin()
        _fork.watch(self)

    def _begin(self) -> None:
        self.lock = RLock()
        self.cells = memoryview(bytearray(8 * 64)).cast("d")
        self._used = 0
        self._exemplars: dict[tuple[str, int], dict[int, Exemplar]] = {}
        for table in self._tables.values():
            table.forget()

    def table(self, layout: Layout) -> Table:
        with self.lock:
            table = self._tables.get(layout.name)
            if table is None:
                check_width(layout)
                table = self._tables[layout.name] = Table(self, layout)
            elif table.layout != layout:
                raise SpecError(f"layout {layout.name!r} is already {table.layout!r}; it cannot be {layout!r} too")
            return table

    def bind(self, table: Table, key: Key) -> int:
        layout, slot = table.layout, self._used
        self._used += layout.width
        while self._used > len(self.cells):
            grown = memoryview(bytearray(2 * self.cells.nbytes)).cast("d")
            for index, value in enumerate(self.cells):
                grown[index] = value
            self.cells = grown
        if layout.kind is Kind.MAX:
            self.cells[slot] = -math.inf
        if layout.min_max:
            self.cells[slot + layout.width - 2] = math.inf
            self.cells[slot + layout.width - 1] = -math.inf
        table.slots[key] = slot
        return slot

    def write_exemplar(self, table: Table, slot: int, bucket: int, exemplar: Exemplar) -> None:
        self._exemplars.setdefault((table.layout.name, slot), {})[bucket] = exemplar

    def read(self) -> Reading:
        with self.lock:
            tables = {}
            for name, table in self._tables.items():
                width = table.layout.width
                reading = TableReading(table.layout)
                for key, slot in table.slots.items():
                    reading.living[key] = list(self.cells[slot : slot + width])
                    found = self._exemplars.get((name, slot))
                    if found:
                        reading.exemplars[key] = dict(found)
                tables[name] = reading
        return Reading(1, self._start, self._instance, tables, (ProcessInfo(os.getpid(), 0, 1),), int(self._serves))

    def attach(self) -> None:
        pass

    def serve(self) -> None:
        self._serves = True

    def close(self) -> None:
        pass

    def before_fork(self) -> None:
        self.lock.acquire()

    def after_fork_in_parent(self) -> None:
        self.lock.release()

    def after_fork_in_child(self) -> None:
        self._begin()
