"""What every store keeps to, whatever it keeps its cells in."""

from __future__ import annotations

import math
import random
import threading

import pytest

from telemetry.errors import SpecError
from telemetry.samples import Exemplar
from telemetry.spec import Kind, Layout
from telemetry.store import MemoryStore, Store
from telemetry.store.layout import SCRATCH_CELLS

SUM = Layout("sum", Kind.SUM, ("a", "b"))
UPDOWN = Layout("updown", Kind.UPDOWN)
MAX = Layout("max", Kind.MAX)
LAST = Layout("last", Kind.LAST)
HISTOGRAM = Layout("histogram", Kind.HISTOGRAM, ("a",), (1.0, 2.0, 4.0))
FULL = Layout("full", Kind.HISTOGRAM, (), (1.0, 2.0), min_max=True, exemplars=True)


class TestTable:
    def test_is_the_same_at_every_call(self, store: Store) -> None:
        assert store.table(SUM) is store.table(Layout("sum", Kind.SUM, ("a", "b")))

    def test_another_layout_of_the_name_is_refused(self, store: Store) -> None:
        store.table(SUM)
        with pytest.raises(SpecError, match="'sum' is already"):
            store.table(Layout("sum", Kind.SUM, ("a",)))

    def test_a_layout_too_wide_for_a_series_is_refused(self, store: Store) -> None:
        edges = tuple(float(edge) for edge in range(SCRATCH_CELLS))
        with pytest.raises(SpecError, match=f"'wide'.*at most {SCRATCH_CELLS}"):
            store.table(Layout("wide", Kind.HISTOGRAM, (), edges))


class TestCells:
    def test_sums_add_up_by_key(self, store: Store) -> None:
        table = store.table(SUM)
        table.add(("x", 1))
        table.add(("x", 1), 2.5)
        table.add(("y", 1), 7)
        assert {("x", 1): [3.5], ("y", 1): [7.0]} == store.read().tables["sum"].series()

    def test_put_replaces(self, store: Store) -> None:
        table = store.table(UPDOWN)
        table.put((), 5)
        table.put((), 3)
        table.add((), -1)
        assert {(): [2.0]} == store.read().tables["updown"].series()

    def test_a_maximum_only_rises_and_may_be_negative(self, store: Store) -> None:
        table = store.table(MAX)
        table.raise_to((), -5)
        assert {(): [-5.0]} == store.read().tables["max"].series()
        table.raise_to((), 3)
        table.raise_to((), 2)
        assert {(): [3.0]} == store.read().tables["max"].series()

    def test_the_last_value_has_its_time(self, store: Store) -> None:
        store.table(LAST).set((), 4.0, at=1234.5)
        assert {(): [4.0, 1234.5]} == store.read().tables["last"].series()

    def test_a_bucket_holds_its_upper_edge(self, store: Store) -> None:
        table = store.table(HISTOGRAM)
        for value in (0.5, 1.0, 1.5, 4.0, 4.5, math.inf):
            table.observe(("x",), value)
        assert {("x",): [2.0, 1.0, 1.0, 2.0, math.inf]} == store.read().tables["histogram"].series()

    def test_extremes(self, store: Store) -> None:
        table = store.table(FULL)
        with store.lock:
            store.bind(table, ())
        assert [math.inf, -math.inf] == store.read().tables["full"].series()[()][-2:], "before the first value"
        for value in (1.5, -3.0, 9.0):
            table.observe((), value)
        assert [1.0, 1.0, 1.0, 7.5, -3.0, 9.0] == store.read().tables["full"].series()[()]

    def test_an_exemplar_is_the_newest_of_its_bucket(self, store: Store) -> None:
        table = store.table(FULL)
        first = Exemplar(0.5, 10.0, (1 << 128) - 1, (1 << 64) - 1)
        newer = Exemplar(0.25, 11.0, 1 << 64, 3)
        other = Exemplar(1.5, 12.0, 5, 6)
        for exemplar in (first, newer, other):
            table.observe((), exemplar.value, exemplar)
        assert {(): {0: newer, 1: other}} == store.read().tables["full"].exemplars

    @pytest.mark.parametrize(
        "key",
        [(), ("",), ("é\U0001f600",), ("\ud800",), ("a\x00b\n\"\\",), (("k", ("a", 1, 2.5, True)),), (None,)],
        ids=repr,
    )  # fmt: skip
    def test_a_key_comes_back_as_it_was(self, store: Store, key: tuple[object, ...]) -> None:
        layout = Layout("keys", Kind.SUM)
        store.table(layout).add(key)
        (found,) = store.read().tables["keys"].series()
        assert repr(key) == repr(found)


class TestReading:
    def test_a_reading_is_not_changed_by_what_follows(self, store: Store) -> None:
        table = store.table(SUM)
        table.add(("x", 1))
        reading = store.read()
        table.add(("x", 1))
        assert [1.0] == reading.tables["sum"].series()[("x", 1)]

    def test_changing_a_reading_changes_no_later_one(self, store: Store) -> None:
        store.table(SUM).add(("x", 1))
        store.read().tables["sum"].living[("x", 1)][0] = 99.0
        assert [1.0] == store.read().tables["sum"].series()[("x", 1)]

    def test_serving_is_counted_once(self, store: Store) -> None:
        store.table(SUM).add(("x", 1))
        assert 0 == store.read().serving_anchors
        store.serve()
        store.serve()
        assert 1 == store.read().serving_anchors


class TestManySeries:
    def test_all_stores_agree_on_a_random_history(self, store: Store) -> None:
        """Also grows the cells several times: some thousand series, twice."""
        plain = MemoryStore()
        layouts = (SUM, UPDOWN, MAX, LAST, HISTOGRAM, FULL)
        choose = random.Random(7)
        for turn in range(12_000):
            layout = choose.choice(layouts)
            key = tuple(f"{choose.randrange(60)}" for _ in layout.labels)
            value = choose.uniform(-5, 5)
            exemplar = Exemplar(value, float(turn + 1), choose.getrandbits(128), choose.getrandbits(64))
            for each in (plain, store):
                table = each.table(layout)
                if layout.kind is Kind.HISTOGRAM:
                    table.observe(key, value, exemplar)
                elif layout.kind is Kind.MAX:
                    table.raise_to(key, value)
                elif layout.kind is Kind.LAST:
                    table.set(key, value, at=float(turn))
                else:
                    table.add(key, value)
        expected, found = plain.read().tables, store.read().tables
        assert len(expected["sum"].series()) > 1000
        for layout in layouts:
            assert expected[layout.name].series() == found[layout.name].series()
            assert expected[layout.name].exemplars == found[layout.name].exemplars

    def test_threads_lose_nothing(self, store: Store) -> None:
        table, gate = store.table(SUM), threading.Barrier(4)

        def work() -> None:
            gate.wait()
            for turn in range(2_000):
                table.add(("k", turn % 50))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            store.read()
        assert {("k", n): [160.0] for n in range(50)} == store.read().tables["sum"].series()
