from __future__ import annotations

import math
import random
from bisect import bisect_left

import pytest

from telemetry.errors import SpecError
from telemetry.projections import evaluate, evaluate_all
from telemetry.samples import Exemplar, FamilySamples, HistogramValue, Key, Reading, TableReading
from telemetry.spec import Family, FamilyType, Kind, Layout, Part, Projection, Source, Take
from telemetry.store import MemoryStore

COUNTS = Layout("counts", Kind.SUM, ("method", "status"))
TIMES = Layout("times", Kind.HISTOGRAM, ("method", "status"), (0.1, 0.25, 1.0, 5.0))
BY_METHOD = Family("by_method_total", FamilyType.COUNTER, "", ("method",))


def counter(*labels: str) -> Family:
    return Family("c_total", FamilyType.COUNTER, "", labels)


def gauge(*labels: str) -> Family:
    return Family("g", FamilyType.GAUGE, "", labels)


def reading(*tables: TableReading) -> Reading:
    return Reading(1, 123.0, "id", {table.layout.name: table for table in tables})


def table(layout: Layout, living: dict[Key, list[float]], gone: dict[Key, list[float]] | None = None) -> TableReading:
    return TableReading(layout, living, gone or {})


def values(samples: FamilySamples) -> dict[tuple[str, ...], float]:
    return {tuple(value for _, value in labels): value for labels, value in samples.series if isinstance(value, float)}


class TestScalars:
    TABLE = table(
        COUNTS,
        {("GET", "200"): [3.0], ("GET", "404"): [1.0], ("PUT", "200"): [2.0]},
        {("GET", "200"): [10.0], ("DELETE", "500"): [4.0]},
    )

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            (Source(COUNTS), {("GET",): 14, ("PUT",): 2, ("DELETE",): 4}),
            (Source(COUNTS, part=Part.LIVING), {("GET",): 4, ("PUT",): 2}),
            (Source(COUNTS, part=Part.GONE), {("GET",): 10, ("DELETE",): 4}),
            (Source(COUNTS, where={"status": frozenset({"200"})}), {("GET",): 13, ("PUT",): 2}),
            (Source(COUNTS, unless={"status": frozenset({"200"})}), {("GET",): 1, ("DELETE",): 4}),
            (Source(COUNTS, values={"method": {"PUT": "other", "DELETE": "other"}}), {("GET",): 14, ("other",): 6}),
        ],
        ids=["all", "living", "gone", "where", "unless", "values"],
    )
    def test_one_source(self, source: Source, expected: dict[tuple[str, ...], float]) -> None:
        before = repr(self.TABLE)
        for _ in range(2):
            assert expected == values(evaluate(Projection(BY_METHOD, (source,)), reading(self.TABLE)))
        assert before == repr(self.TABLE), "a read is not changed by evaluating it"

    def test_labels_are_sorted_and_renamed(self) -> None:
        projection = Projection(counter("zone", "a"), (Source(COUNTS, rename={"zone": "method", "a": "status"}),))
        (first, *_) = evaluate(projection, reading(self.TABLE)).series
        assert ((("a", "500"), ("zone", "DELETE")), 4.0) == first

    def test_sources_are_added_with_their_sign_above_a_floor(self) -> None:
        sources = (Source(COUNTS, part=Part.LIVING), Source(COUNTS, part=Part.GONE, sign=-1))
        assert {("GET",): -6, ("PUT",): 2, ("DELETE",): -4} == values(
            evaluate(Projection(gauge("method"), sources), reading(self.TABLE))
        )
        assert {("GET",): 0, ("PUT",): 2, ("DELETE",): 0} == values(
            evaluate(Projection(gauge("method"), sources, floor=0.0), reading(self.TABLE))
        )

    def test_zeros_stand_until_the_first_record(self) -> None:
        projection = Projection(BY_METHOD, (Source(COUNTS),), zeros=(("GET",), ("PATCH",)))
        assert {("GET",): 0, ("PATCH",): 0} == values(evaluate(projection, reading()))
        assert 0 == values(evaluate(projection, reading(self.TABLE)))[("PATCH",)]
        assert 14 == values(evaluate(projection, reading(self.TABLE)))[("GET",)]

    def test_without_labels_there_is_always_one_series(self) -> None:
        assert {(): 0} == values(evaluate(Projection(counter(), ()), reading()))
        assert {(): 0} == values(evaluate(Projection(counter(), (Source(COUNTS),)), reading()))
        assert {(): 20} == values(evaluate(Projection(counter(), (Source(COUNTS),)), reading(self.TABLE)))

    def test_numbers_and_booleans_are_shown_as_text(self) -> None:
        odd = table(COUNTS, {(1, True): [1.0], ("1", "True"): [2.0]})
        assert {("1", "True"): 3} == values(
            evaluate(Projection(counter("method", "status"), (Source(COUNTS),)), reading(odd))
        )

    @pytest.mark.parametrize(
        ("kind", "cells", "expected"),
        [
            (Kind.MAX, {("a", "x"): [3.0], ("a", "y"): [7.0], ("b", "x"): [-math.inf]}, {("a",): 7}),
            (Kind.LAST, {("a", "x"): [3.0, 20.0], ("a", "y"): [7.0, 10.0], ("b", "x"): [0.0, 0.0]}, {("a",): 3}),
        ],
    )
    def test_maxima_and_last_values(
        self, kind: Kind, cells: dict[Key, list[float]], expected: dict[tuple[str, ...], float]
    ) -> None:
        layout = Layout("k", kind, ("method", "status"))
        assert expected == values(
            evaluate(Projection(gauge("method"), (Source(layout),)), reading(table(layout, cells)))
        )


class TestHistograms:
    def test_any_subset_of_the_edges_gives_what_direct_counting_gives(self) -> None:
        rng = random.Random(7)
        layout = Layout("h", Kind.HISTOGRAM, ("method", "status"), tuple(float(edge) for edge in range(20)))
        store = MemoryStore()
        # Multiples of 1/4, so that sums are exact in any order.
        observed = [(rng.choice("ab"), rng.choice("xyz"), rng.randrange(-8, 100) / 4) for _ in range(2000)]
        for method, status, value in observed:
            store.table(layout).observe((method, status), value)
        for _ in range(20):
            buckets = tuple(sorted(rng.sample(layout.edges, rng.randrange(0, 20))))
            family = Family("f", FamilyType.HISTOGRAM, "", ("method",), buckets)
            samples = evaluate(Projection(family, (Source(layout),)), store.read())
            for (label,), histogram in samples.series:
                mine = [each for method, _, each in observed if method == label[1]]
                counts = [0.0] * (len(buckets) + 1)
                for each in mine:
                    counts[bisect_left(buckets, each)] += 1
                assert isinstance(histogram, HistogramValue)
                assert (counts, sum(mine), len(mine)) == (histogram.counts, histogram.sum, histogram.count)

    def test_counts_and_sums_of_histograms(self) -> None:
        times = table(TIMES, {("GET", "200"): [1.0, 2.0, 0.0, 0.0, 4.0, 99.5]})
        assert {("GET",): 7} == values(evaluate(Projection(BY_METHOD, (Source(TIMES, Take.COUNT),)), reading(times)))
        assert {("GET",): 99.5} == values(evaluate(Projection(BY_METHOD, (Source(TIMES, Take.SUM),)), reading(times)))

    def test_exemplars_follow_their_values_and_the_newest_stays(self) -> None:
        times = table(TIMES, {("GET", "200"): [1.0] * 6, ("GET", "404"): [1.0] * 6})
        old, new, far = Exemplar(0.2, 10.0, 1, 1), Exemplar(0.7, 20.0, 2, 2), Exemplar(9.0, 5.0, 3, 3)
        times.exemplars = {("GET", "200"): {1: old, 4: far}, ("GET", "404"): {2: new}}
        family = Family("f", FamilyType.HISTOGRAM, "", ("method",), (1.0,))
        ((_, value),) = evaluate(Projection(family, (Source(TIMES),)), reading(times)).series
        assert isinstance(value, HistogramValue)
        assert {0: new, 1: far} == value.exemplars


class TestOtherVersions:
    """A table laid out by another version of the program feeds a family as far as it can."""

    def test_more_edges_and_labels_do(self) -> None:
        newer = Layout("times", Kind.HISTOGRAM, ("zone", "status", "method"), (0.1, 0.25, 0.5, 1.0, 5.0))
        family = Family("f", FamilyType.HISTOGRAM, "", ("method",), (0.25, 1.0))
        read = reading(table(newer, {("z", "200", "GET"): [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 3.5]}))
        ((labels, value),) = evaluate(Projection(family, (Source(TIMES),)), read).series
        assert (("method", "GET"),) == labels
        assert isinstance(value, HistogramValue)
        assert ([3.0, 12.0, 48.0], 3.5) == (value.counts, value.sum)

    @pytest.mark.parametrize(
        "other",
        [
            Layout("times", Kind.HISTOGRAM, ("status",), TIMES.edges),
            Layout("times", Kind.HISTOGRAM, ("method", "status"), (0.1, 2.0)),
            Layout("times", Kind.SUM, ("method", "status")),
        ],
        ids=["no label", "no edge", "another kind"],
    )
    def test_less_gives_nothing(self, other: Layout) -> None:
        family = Family("f", FamilyType.HISTOGRAM, "", ("method",), (0.25, 1.0))
        cells: dict[Key, list[float]] = {("GET", "200")[: len(other.labels)]: [1.0] * other.width}
        assert [] == evaluate(Projection(family, (Source(TIMES),)), reading(table(other, cells))).series


class TestDefinitions:
    @pytest.mark.parametrize(
        ("source", "message"),
        [
            (Source(COUNTS, unless={"nope": frozenset()}), "has no label 'nope'"),
            (Source(COUNTS, values={"status": {}}), "values are given for label 'status'"),
        ],
    )
    def test_a_wrong_one_is_refused(self, source: Source, message: str) -> None:
        with pytest.raises(SpecError, match=message):
            Projection(BY_METHOD, (source,))


class TestEvaluateAll:
    def test_gives_each_family_once_with_the_services_start(self) -> None:
        projections = [Projection(BY_METHOD, (Source(COUNTS),)), Projection(counter(), (Source(COUNTS),))]
        found = evaluate_all(projections, reading(TestScalars.TABLE))
        assert ["by_method_total", "c_total"] == [each.family.name for each in found]
        assert {123.0} == {each.created for each in found}
        assert found == [evaluate(projection, reading(TestScalars.TABLE)) for projection in projections]
