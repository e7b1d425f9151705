"""Families derived from stored records when somebody collects: summed by labels, re-bucketed, never stored."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter

from telemetry.samples import Exemplar, FamilySamples, HistogramValue, Key, Labels, Reading, TableReading, combine
from telemetry.spec import Family, FamilyType, Kind, Layout, Part, Projection, Source, Take

_Values = tuple[str, ...]
_Series = dict[Key, list[float]]


def evaluate(projection: Projection, reading: Reading) -> FamilySamples:
    """The family of one projection over one read; series sorted by label values."""
    return _Evaluation(reading).family(projection)


def evaluate_all(projections: Iterable[Projection], reading: Reading) -> list[FamilySamples]:
    """The families of all projections over one read; every record is merged over the processes once."""
    evaluation = _Evaluation(reading)
    return [evaluation.family(projection) for projection in projections]


class _Evaluation:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._merged: dict[str, _Series] = {}

    def family(self, projection: Projection) -> FamilySamples:
        family, floor = projection.family, projection.floor
        histogram = family.type is FamilyType.HISTOGRAM
        width = len(family.buckets) + 2 if histogram else 1
        # A family without labels has its one series from the start, like prometheus_client's.
        zeros = projection.zeros if family.labels else ((),)
        shown: dict[_Values, list[float]] = {values: [0.0] * width for values in zeros}
        exemplars: dict[_Values, dict[int, Exemplar]] = {}
        for source in projection.sources:
            table = self._reading.tables.get(source.layout.name)
            if table is None or not _serves(table.layout, source, family):
                continue
            reduce = _rebucketing(table.layout, family) if histogram else _taking(table.layout, source.take)
            pick = _picking(table.layout, source, family)
            for values, cells in self._grouped(table, source, pick).items():
                have = shown.setdefault(values, [0.0] * width)
                for index, amount in enumerate(reduce(cells)):
                    have[index] += source.sign * amount
            if histogram and table.exemplars:
                _keep_newest(exemplars, table, source, pick, family)
        order = sorted(range(len(family.labels)), key=family.labels.__getitem__)
        series: list[tuple[Labels, float | HistogramValue]] = []
        for values in sorted(shown):
            cells = shown[values]
            labels = tuple([(family.labels[at], values[at]) for at in order])
            if histogram:
                series.append((labels, HistogramValue(cells[:-1], cells[-1], exemplars.get(values, {}))))
            else:
                series.append((labels, cells[0] if floor is None else max(cells[0], floor)))
        return FamilySamples(family, series, self._reading.start_time)

    def _grouped(
        self, table: TableReading, source: Source, pick: Callable[[Key], _Values]
    ) -> dict[_Values, list[float]]:
        """The source's series, combined where the labels kept are the same."""
        layout = table.layout
        wanted = _filtering(layout, source)
        groups: dict[_Values, list[float]] = {}
        own: set[_Values] = set()
        for key, cells in self._series(table, source.part).items():
            if _unset(layout, cells) or not wanted(key):
                continue
            values = pick(key)
            have = groups.get(values)
            if have is None:
                groups[values] = cells
            elif values in own:
                combine(layout, have, cells)
            else:
                own.add(values)
                groups[values] = have = list(have)
                combine(layout, have, cells)
        return groups

    def _series(self, table: TableReading, part: Part) -> _Series:
        if part is Part.LIVING:
            return table.living
        if part is Part.GONE:
            return table.gone
        merged = self._merged.get(table.layout.name)
        if merged is None:
            merged = self._merged[table.layout.name] = table.series()
        return merged


def _serves(layout: Layout, source: Source, family: Family) -> bool:
    """Whether a stored record, perhaps laid out by another version of the program, can feed this source."""
    if layout == source.layout:
        return True
    wanted = {source.rename.get(label, label) for label in family.labels} | {*source.where, *source.unless}
    same_kind = layout.kind is source.layout.kind
    return same_kind and wanted <= set(layout.labels) and set(family.buckets) <= set(layout.edges)


def _filtering(layout: Layout, source: Source) -> Callable[[Key], bool]:
    """Whether a stored key passes the source's `where` and `unless`."""
    tests = [(layout.labels.index(label), values, True) for label, values in source.where.items()]
    tests += [(layout.labels.index(label), values, False) for label, values in source.unless.items()]
    if not tests:
        return lambda key: True
    return lambda key: all((key[at] in values) is inside for at, values, inside in tests)


def _picking(layout: Layout, source: Source, family: Family) -> Callable[[Key], _Values]:
    """From a stored key to the label values shown, in the family's order."""
    positions = [layout.labels.index(source.rename.get(label, label)) for label in family.labels]
    if not positions:
        return lambda key: ()
    if source.values:
        maps = [source.values.get(label, {}) for label in family.labels]
        pairs = list(zip(positions, maps, strict=True))
        return lambda key: tuple([names.get(str(key[at]), str(key[at])) for at, names in pairs])
    if len(positions) == 1:
        only = positions[0]
        return lambda key: (str(key[only]),)
    parts = itemgetter(*positions)
    return lambda key: tuple(map(str, parts(key)))


def _taking(layout: Layout, take: Take) -> Callable[[Sequence[float]], tuple[float]]:
    """From stored cells to the one value shown."""
    if layout.kind is not Kind.HISTOGRAM:
        return lambda cells: (cells[0],)
    buckets = len(layout.edges) + 1
    if take is Take.SUM:
        return lambda cells: (cells[buckets],)
    return lambda cells: (sum(cells[:buckets]),)


def _rebucketing(layout: Layout, family: Family) -> Callable[[Sequence[float]], Sequence[float]]:
    """From stored cells to the family's bucket counts (not cumulative, the last is +Inf's) and the sum."""
    last = len(layout.edges) + 1
    if layout.edges == family.buckets:
        return lambda cells: cells[: last + 1]
    ends = [bisect_right(layout.edges, bucket) for bucket in family.buckets]
    spans = [slice(low, high) for low, high in zip([0, *ends], [*ends, last], strict=True)]
    return lambda cells: [*(sum(cells[span]) for span in spans), cells[last]]


def _unset(layout: Layout, cells: Sequence[float]) -> bool:
    """Whether a maximum or a last value was never given a value since its series was made."""
    if layout.kind is Kind.MAX:
        return cells[0] == -math.inf
    return layout.kind is Kind.LAST and cells[1] == 0.0


def _keep_newest(
    kept: dict[_Values, dict[int, Exemplar]],
    table: TableReading,
    source: Source,
    pick: Callable[[Key], _Values],
    family: Family,
) -> None:
    """Carry each stored exemplar to the family's bucket that contains its value; the newest stays."""
    wanted = _filtering(table.layout, source)
    for key, by_bucket in table.exemplars.items():
        if not wanted(key):
            continue
        mine = kept.setdefault(pick(key), {})
        for exemplar in by_bucket.values():
            bucket = bisect_left(family.buckets, exemplar.value)
            if bucket not in mine or mine[bucket].time < exemplar.time:
                mine[bucket] = exemplar
