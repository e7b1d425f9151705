"""What every store offers: tables to write to, one merged read, and how it is doing."""

from __future__ import annotations

from threading import RLock
from typing import Protocol

from telemetry.samples import Exemplar, Key, Reading
from telemetry.spec import Layout
from telemetry.store.table import Table


class Store(Protocol):
    """A place for the series of one process, readable together with those of all others."""

    lock: RLock
    """Held for every write. Re-entrant: a signal handler or finaliser may record while we do."""
    degraded: str
    """Why this process's counts are in its own memory only; empty where all is well."""
    cells: memoryview[float]
    """The value cells of this process, 8 bytes each, format "d"."""

    def table(self, layout: Layout) -> Table:
        """The table of this layout, the same one at every call.

        Raises:
            SpecError: this process already has another layout of the same name, or it has too many edges.
        """

    def bind(self, table: Table, key: Key) -> int:
        """Give a new series its cells and return the index of the first; called under `lock`."""

    def write_exemplar(self, table: Table, slot: int, bucket: int, exemplar: Exemplar) -> None:
        """Keep the newest exemplar of a bucket; called under `lock`."""

    def attach(self) -> None:
        """Get everything ready to record, at a moment when waiting hurts nobody; again changes nothing."""

    def serve(self) -> None:
        """Tell the other processes that this one answers scrapes."""

    def read(self) -> Reading:
        """Merge the cells of all processes. Takes no lock that a writer of another process waits for."""

    def close(self) -> None:
        """Give up this process's segment; its counts stay with the service."""
