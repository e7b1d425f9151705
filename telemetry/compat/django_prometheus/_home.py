"""Where metrics of django-prometheus's shape record, and which families they are on the page."""

from __future__ import annotations

import logging
from collections.abc import Callable

from telemetry import runtime
from telemetry.errors import ConfigurationError, SpecError
from telemetry.instrumentation.guard import Guard
from telemetry.limit import SERIES
from telemetry.projections import evaluate
from telemetry.samples import FamilySamples, TableReading
from telemetry.spec import Kind, Layout, Projection
from telemetry.store import MemoryStore, Store, Table

_logger = logging.getLogger("telemetry")


class Home:
    """The store of the runtime; before that has started a store in memory, so that nothing is lost."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store
        self.guard = Guard(store) if store is not None else None
        self.series_limit = SERIES
        self._waiting = MemoryStore()
        self._served: runtime.Runtime | None = None
        self._shown: dict[str, Callable[[], Projection]] = {}
        self._layouts: dict[str, Layout] = {}

    def table(self, layout: Layout) -> Table:
        """The table of this layout, in memory as long as there is no other."""
        self.connect()
        return (self.store or self._waiting).table(layout)

    def connect(self) -> None:
        """Record in the runtime's store from now on, if it has started, and bring along what has waited."""
        if self.store is not None:
            return
        try:
            started = runtime.get()
        except ConfigurationError:
            return
        self._served = started
        self.series_limit = started.config.series_limit
        # Where telemetry is switched off, a store that nobody reads.
        self.store = started.store or MemoryStore()
        self.guard = Guard(self.store)
        for reading in self._waiting.read().tables.values():
            try:
                _bring(self.store, reading)
            except Exception as exc:  # noqa: BLE001  # the application is about to start
                self.guard.failed("compat.start", exc)

    def failed(self, where: str, exc: BaseException) -> None:
        """A measurement is lost, and the application goes on."""
        if self.guard is not None:
            self.guard.failed(where, exc)
        else:
            _logger.error("telemetry: %s failed", where, exc_info=exc)

    def overflowed(self, stream: str) -> None:
        """A measurement was counted under the overflow value."""
        if self.guard is not None:
            self.guard.overflowed(stream)

    def show(self, layout: Layout, name: str, projection: Callable[[], Projection]) -> None:
        """Have a family on the page, instead of the built-in one if that has its name.

        Raises:
            SpecError: this process has another of that name, with other labels or buckets.
        """
        before = self._layouts.setdefault(name, layout)
        if before != layout:
            raise SpecError(
                f"metric {name!r} is registered already, with labels {before.labels!r} and buckets {before.edges!r}; "
                f"it cannot have {layout.labels!r} and {layout.edges!r} too"
            )
        self._shown[name] = projection

    def projections(self) -> list[Projection]:
        """What the page shall show: families with names of their own, and those that replace a built-in one."""
        self.connect()
        return [projection() for projection in list(self._shown.values())]

    def family(self, projection: Projection) -> FamilySamples:
        """A family as it stands on the page, of all processes; as it would, where the page has none yet."""
        self.connect()
        if self._served is not None:
            for family in self._served.families():
                if family.family.name == projection.family.name:
                    return family
        return evaluate(projection, (self.store or self._waiting).read())


def _bring(store: Store, reading: TableReading) -> None:
    table = store.table(reading.layout)
    for key, cells in reading.living.items():
        if table.layout.kind is Kind.LAST:
            table.set(key, cells[0], cells[1])
            continue
        with store.lock:
            slot = table.slots.get(key)
            if slot is None:
                slot = store.bind(table, key)
            for place, cell in enumerate(cells):
                store.cells[slot + place] += cell


home = Home()
"""This process's one; a test puts another in its place (`_home.home = Home(store)`)."""

runtime.extend(lambda: home.projections())
