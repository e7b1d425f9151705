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

    __slots__ = ("_edges", "_series", "_store", "_sum", "layout", "slots")

    def __init__(self, store: Store, layout: Layout) -> None:
        self.layout = layout
        self.slots: dict[Key, int] = {}
        self._store = store
        self._edges = layout.edges
        self._series: dict[Key, Histogram] = {}
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
        lock = store.lock
        # Half the price of `with`. Within `try`, for a signal handler may raise as soon as the lock is taken.
        try:
            lock.acquire()
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
        finally:
            try:  # noqa: SIM105  # `suppress` costs as much as the lock
                lock.release()
            except RuntimeError:  # a handler raised while we waited for it: that exception goes on
                pass

    def histogram(self, key: Key) -> Histogram:
        """One HISTOGRAM series, for whoever records it again and again; the same one at every call.

        Raises:
            ValueError: the layout has more than buckets and their sum.
        """
        series = self._series.get(key)
        if series is None:
            series = self._series.setdefault(key, Histogram(self, key))
        return series

    def forget(self) -> None:
        """Know no cells any more: they are another process's, or nobody's. Called by the store."""
        self.slots.clear()
        for series in list(self._series.values()):
            series.slot = UNBOUND


UNBOUND = -1


class Histogram:
    """A series of buckets and their sum that remembers its cells: hashing a key costs as much as recording."""

    __slots__ = ("_edges", "_store", "_sum", "_table", "key", "slot")

    def __init__(self, table: Table, key: Key) -> None:
        layout = table.layout
        if layout.min_max or layout.exemplars:
            raise ValueError(f"{layout.name}: only a series without extremes and exemplars can be held")
        self._table = table
        self.key = key
        self._store = table._store
        self._edges = layout.edges
        self._sum = len(layout.edges) + 1
        self.slot = UNBOUND

    def observe(self, value: float) -> None:
        """Record one observation."""
        bucket = bisect_left(self._edges, value)
        store = self._store
        lock = store.lock
        try:
            lock.acquire()
            slot = self.slot
            if slot == UNBOUND:
                slot = self._bind()
            cells = store.cells
            cells[slot + self._sum] += value
            cells[slot + bucket] += 1.0
        finally:
            try:  # noqa: SIM105  # `suppress` costs as much as the lock
                lock.release()
            except RuntimeError:  # a handler raised while we waited for it: that exception goes on
                pass

    def _bind(self) -> int:
        slots = self._table.slots
        slot = slots.get(self.key)
        if slot is None:
            slot = self._store.bind(self._table, self.key)
        # Not where there was no room: each measurement is to ask again, and to be counted.
        if self.key in slots:
            self.slot = slot
        return slot
