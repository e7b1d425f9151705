"""Families derived from stored records when somebody collects: summed by labels, re-bucketed, never stored."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter

from telemetry.samples import Exemplar, FamilySamples, HistogramValue, Key, Reading, TableReading, combine
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
    """One read, and what several projections need of it."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._merged: dict[str, _Series] = {}
        self._counted: dict[tuple[str, Part], dict[Key, float]] = {}

    def family(self, projection: Projection) -> FamilySamples:
        family = projection.family
        found: Mapping[_Values, float | HistogramValue]
        found = self._histograms(projection) if family.type is FamilyType.HISTOGRAM else self._scalars(projection)
        order = sorted(range(len(family.labels)), key=family.labels.__getitem__)
        names = [(family.labels[at], at) for at in order]
        series = [(tuple([(name, values[at]) for name, at in names]), found[values]) for values in sorted(found)]
        samples = FamilySamples(family, series, self._reading.start_time)
        if family.type is FamilyType.COUNTER and (newest := self._newest(projection)):
            samples.exemplars = {
                tuple([(name, values[at]) for name, at in names]): exemplar for values, exemplar in newest.items()
            }
        return samples

    def _newest(self, projection: Projection) -> dict[_Values, Exemplar]:
        """The newest exemplar of each of a counter's series, whose source is a histogram."""
        kept: dict[_Values, dict[int, Exemplar]] = {}
        for source, table in self._sources(projection):
            if table.exemplars:
                _keep_newest(kept, table, source, projection.family)
        return {values: found[0] for values, found in kept.items()}

    def _sources(self, projection: Projection) -> Iterator[tuple[Source, TableReading]]:
        for source in projection.sources:
            table = self._reading.tables.get(source.layout.name)
            if table is not None and _serves(table.layout, source, projection.family):
                yield source, table

    def _scalars(self, projection: Projection) -> dict[_Values, float]:
        shown = dict.fromkeys(_zeros(projection), 0.0)
        for source, table in self._sources(projection):
            kind = table.layout.kind
            if kind in (Kind.MAX, Kind.LAST):
                groups = {values: cells[0] for values, cells in self._grouped(source, table, projection).items()}
            else:
                groups = {}
                pick, wanted = _picking(table.layout, source, projection.family), _filtering(table.layout, source)
                for key, value in self._values(source, table).items():
                    if wanted is None or wanted(key):
                        values = pick(key)
                        groups[values] = groups.get(values, 0.0) + value
            for values, value in groups.items():
                shown[values] = shown.get(values, 0.0) + source.sign * value
        if projection.floor is not None:
            return {values: max(value, projection.floor) for values, value in shown.items()}
        return shown

    def _histograms(self, projection: Projection) -> dict[_Values, HistogramValue]:
        family = projection.family
        width = len(family.buckets) + 2
        shown = {values: [0.0] * width for values in _zeros(projection)}
        exemplars: dict[_Values, dict[int, Exemplar]] = {}
        for source, table in self._sources(projection):
            if table.exemplars:
                _keep_newest(exemplars, table, source, family)
            if not source.sign:
                continue
            rebucket = _rebucketing(table.layout, family)
            for values, stored in self._grouped(source, table, projection).items():
                cells, have = rebucket(stored), shown.get(values)
                if have is None and source.sign == 1:
                    shown[values] = cells
                else:
                    shown[values] = [a + source.sign * b for a, b in zip(have or [0.0] * width, cells, strict=True)]
        return {
            values: HistogramValue(cells[:-1], cells[-1], exemplars.get(values, {})) for values, cells in shown.items()
        }

    def _grouped(self, source: Source, table: TableReading, projection: Projection) -> dict[_Values, list[float]]:
        """The source's series, combined where the labels kept are the same; not to be changed."""
        layout = table.layout
        pick, wanted = _picking(layout, source, projection.family), _filtering(layout, source)
        groups: dict[_Values, list[float]] = {}
        copied: set[_Values] = set()
        for key, cells in self._series(source, table).items():
            if (wanted is not None and not wanted(key)) or _unset(layout, cells):
                continue
            values = pick(key)
            have = groups.get(values)
            if have is None:
                groups[values] = cells
                continue
            if values not in copied:
                copied.add(values)
                groups[values] = have = list(have)
            combine(layout, have, cells)
        return groups

    def _series(self, source: Source, table: TableReading) -> _Series:
        if source.part is Part.LIVING:
            return table.living
        if source.part is Part.GONE:
            return table.gone
        name = table.layout.name
        merged = self._merged.get(name)
        if merged is None:
            merged = self._merged[name] = table.series()
        return merged

    def _values(self, source: Source, table: TableReading) -> dict[Key, float]:
        """One number for each series of an additive record."""
        layout, series = table.layout, self._series(source, table)
        if layout.kind is not Kind.HISTOGRAM:
            return {key: cells[0] for key, cells in series.items()}
        buckets = len(layout.edges) + 1
        if source.take is Take.SUM:
            return {key: cells[buckets] for key, cells in series.items()}
        place = (layout.name, source.part)
        counted = self._counted.get(place)
        if counted is None:
            counted = self._counted[place] = {key: sum(cells[:buckets]) for key, cells in series.items()}
        return counted


def _zeros(projection: Projection) -> tuple[_Values, ...]:
    # A family without labels has its one series from the start, like prometheus_client's.
    return projection.zeros if projection.family.labels else ((),)


def _serves(layout: Layout, source: Source, family: Family) -> bool:
    """Whether a stored record, perhaps laid out by another version of the program, can feed this source."""
    if layout == source.layout:
        return True
    wanted = {source.rename.get(label, label) for label in family.labels} | {*source.where, *source.unless}
    same_kind = layout.kind is source.layout.kind
    return same_kind and wanted <= set(layout.labels) and set(family.buckets) <= set(layout.edges)


def _filtering(layout: Layout, source: Source) -> Callable[[Key], bool] | None:
    """Whether a stored key passes the source's `where` and `unless`; None where there are none."""
    tests = [(layout.labels.index(label), values, True) for label, values in source.where.items()]
    tests += [(layout.labels.index(label), values, False) for label, values in source.unless.items()]
    if not tests:
        return None
    if len(tests) == 1:
        ((only, set_, sense),) = tests
        return lambda key: (key[only] in set_) is sense
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


def _rebucketing(layout: Layout, family: Family) -> Callable[[list[float]], list[float]]:
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


def _keep_newest(kept: dict[_Values, dict[int, Exemplar]], table: TableReading, source: Source, family: Family) -> None:
    """Carry each stored exemplar to the family's bucket that contains its value; the newest stays."""
    pick, wanted = _picking(table.layout, source, family), _filtering(table.layout, source)
    for key, by_bucket in table.exemplars.items():
        if wanted is not None and not wanted(key):
            continue
        mine = kept.setdefault(pick(key), {})
        for exemplar in by_bucket.values():
            bucket = bisect_left(family.buckets, exemplar.value)
            if bucket not in mine or mine[bucket].time < exemplar.time:
                mine[bucket] = exemplar
