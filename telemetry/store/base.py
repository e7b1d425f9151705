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
    cells: memoryview[float]
    """The value cells of this process, 8 bytes each, format "d"."""

    def table(self, layout: Layout) -> Table:
        """The table of this layout, the same one at every call.

        Raises:
            SpecError: this process already has another layout of the same name.
        """

    def bind(self, table: Table, key: Key) -> int:
        """Give a new series its cells and return the index of the first; called under `lock`."""

    def write_exemplar(self, table: Table, slot: int, bucket: int, exemplar: Exemplar) -> None:
        """Keep the newest exemplar of a bucket; called under `lock`."""

    def read(self) -> Reading:
        """Merge the cells of all processes. Takes no lock that a writer of another process waits for."""

    def close(self) -> None:
        """Give up this process's segment; its counts stay with the service."""
