"""The series of many segments, summed up by layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from telemetry.samples import Exemplar, TableReading, combine
from telemetry.spec import Kind, Layout
from telemetry.store import layout as byte_format
from telemetry.store.layout import EXEMPLAR_CELLS, Defined, Records


@dataclass(slots=True)
class Gathered:
    """Layouts that differ are kept apart, even under one name; `seen` is the newest segment that has each."""

    tables: dict[Layout, TableReading] = field(default_factory=dict)
    seen: dict[Layout, int] = field(default_factory=dict)

    def add(self, records: Records, data: bytes | memoryview, *, living: bool, segment: int = 0) -> None:
        """Add the values in `data` of all series in `records`."""
        raw = bytes(data)
        cells: memoryview[float] = memoryview(raw).cast("d")
        for defined in records.tables.values():
            layout = defined.layout
            table = self._table(layout, int(defined.extra.get("seen", segment)))
            if layout.kind is Kind.UPDOWN and not living:
                continue  # the share of a process dies with it
            into = table.living if living else table.gone
            width = layout.width
            if layout.kind in (Kind.SUM, Kind.UPDOWN):
                for key, slot in defined.series:
                    mine = into.get(key)
                    if mine is None:
                        into[key] = [cells[slot]]
                    else:
                        mine[0] += cells[slot]
                continue
            for key, slot in defined.series:
                values = cast("list[float]", cells[slot : slot + width].tolist())
                mine = into.get(key)
                if mine is None:
                    into[key] = values
                else:
                    combine(layout, mine, values)
            if layout.exemplars:
                _add_exemplars(table, defined, raw)

    def merge(self, other: Gathered) -> None:
        """Add everything of `other`, which keeps its own lists."""
        for layout, theirs in other.tables.items():
            table = self._table(layout, other.seen[layout])
            for into, source in ((table.living, theirs.living), (table.gone, theirs.gone)):
                for key, cells in source.items():
                    mine = into.get(key)
                    if mine is None:
                        into[key] = list(cells)
                    else:
                        combine(layout, mine, cells)
            for key, found in theirs.exemplars.items():
                for bucket, exemplar in found.items():
                    _keep_newest(table, key, bucket, exemplar)

    def _table(self, layout: Layout, segment: int) -> TableReading:
        self.seen[layout] = max(self.seen.get(layout, 0), segment)
        table = self.tables.get(layout)
        if table is None:
            table = self.tables[layout] = TableReading(layout)
        return table

    def newest(self) -> tuple[dict[str, TableReading], int]:
        """By name the table of the layout that the newest segment has, and how many others are hidden."""
        shown: dict[str, Layout] = {}
        for layout, segment in self.seen.items():
            other = shown.get(layout.name)
            if other is None or segment > self.seen[other]:
                shown[layout.name] = layout
        return {name: self.tables[layout] for name, layout in shown.items()}, len(self.seen) - len(shown)

    def dump(self) -> bytes:
        """The dead part as records."""
        body = bytearray()
        for layout, table in self.tables.items():
            place = len(body) // 8
            body += byte_format.layout_record(layout, seen=self.seen[layout])
            for key, values in table.gone.items():
                cells = memoryview(bytearray(8 * byte_format.series_cells(layout))).cast("B").cast("d")
                words = cells.cast("B").cast("Q")
                for index, value in enumerate(values):
                    cells[index] = value
                for bucket, exemplar in table.exemplars.get(key, {}).items():
                    byte_format.write_exemplar(cells, words, layout.width + bucket * EXEMPLAR_CELLS, exemplar)
                body += byte_format.series_record(place, key) + bytes(cells)
        return bytes(body)


def _add_exemplars(table: TableReading, defined: Defined, raw: bytes) -> None:
    layout = defined.layout
    width, buckets = layout.width, len(layout.edges) + 1
    none = bytes(buckets * EXEMPLAR_CELLS * 8)
    cells: memoryview[float] = memoryview(raw).cast("d")
    words: memoryview[int] = memoryview(raw).cast("Q")
    for key, slot in defined.series:
        start = slot + width
        if raw.startswith(none, start * 8):
            continue
        for bucket in range(buckets):
            exemplar = byte_format.read_exemplar(cells, words, start + bucket * EXEMPLAR_CELLS)
            if exemplar is not None:
                _keep_newest(table, key, bucket, exemplar)


def _keep_newest(table: TableReading, key: tuple[object, ...], bucket: int, exemplar: Exemplar) -> None:
    found = table.exemplars.setdefault(key, {})
    if bucket not in found or exemplar.time > found[bucket].time:
        found[bucket] = exemplar
