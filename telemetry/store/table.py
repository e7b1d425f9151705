"""The records of one layout in one store: the only place where a measurement becomes cells."""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import TYPE_CHECKING

from telemetry.samples import Exemplar, Key
from telemetry.spec import Layout

if TYPE_CHECKING:
    from telemetry.store.base import Store


class Table:
    """All series of one layout that this process writes. Safe under threads and after a fork.

    A key is resolved to its cells at every call through a dict that the store empties when the
    process forks, so no caller ever holds the memory of the parent.
    """

    __slots__ = ("_edges", "_store", "_sum", "layout", "slots")

    def __init__(self, store: Store, layout: Layout) -> None:
        self.layout = layout
        self.slots: dict[Key, int] = {}
        self._store = store
        self._edges = layout.edges
        self._sum = len(layout.edges) + 1

    def add(self, key: Key, amount: float = 1.0) -> None:
        """Add to a SUM or UPDOWN series."""
        store = self._store
        with store.lock:
            slot = self.slots.get(key)
            if slot is None:
                slot = store.bind(self, key)
            store.cells[slot] += amount

    def put(self, key: Key, value: float) -> None:
        """Replace this process's share of a SUM or UPDOWN series (an observed running total)."""
        store = self._store
        with store.lock:
            slot = self.slots.get(key)
            if slot is None:
                slot = store.bind(self, key)
            store.cells[slot] = value

    def raise_to(self, key: Key, value: float) -> None:
        """Raise a MAX series to `value` if that is larger."""
        store = self._store
        with store.lock:
            slot = self.slots.get(key)
            if slot is None:
                slot = store.bind(self, key)
            if value > store.cells[slot]:
                store.cells[slot] = value

    def set(self, key: Key, value: float, at: float | None = None) -> None:
        """Set a LAST series; `at` is the Unix time in seconds (default: now)."""
        store = self._store
        with store.lock:
            slot = self.slots.get(key)
            if slot is None:
                slot = store.bind(self, key)
            store.cells[slot] = value
            store.cells[slot + 1] = time.time() if at is None else at

    def observe(self, key: Key, value: float, exemplar: Exemplar | None = None) -> None:
        """Record one observation in a HISTOGRAM series."""
        bucket = bisect_left(self._edges, value)
        store = self._store
        with store.lock:
            slot = self.slots.get(key)
            if slot is None:
                slot = store.bind(self, key)
            cells = store.cells
            total = slot + self._sum
            cells[total] += value
            if self.layout.min_max:
                if value < cells[total + 1]:
                    cells[total + 1] = value
                if value > cells[total + 2]:
                    cells[total + 2] = value
            cells[slot + bucket] += 1.0
            if exemplar is not None and self.layout.exemplars:
                store.write_exemplar(self, slot, bucket, exemplar)
