"""A histogram's series that is held: it records where the table does, whatever becomes of the cells."""

from __future__ import annotations

import logging
import random
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from telemetry.spec import Kind, Layout
from telemetry.store import MappedStore, MemoryStore, Store
from telemetry.store.layout import MAX_KEY_BYTES
from telemetry.tests.store.processes import run

TIMES = Layout("times", Kind.HISTOGRAM, ("a",), (1.0, 2.0, 4.0))


class TestHeldSeries:
    def test_is_the_same_at_every_call_and_makes_nothing(self, store: Store) -> None:
        table = store.table(TIMES)
        assert table.histogram(("x",)) is table.histogram(("x",))
        assert [] == [table for table in store.read().tables.values() if table.series()]

    def test_records_what_the_table_would(self, store: Store) -> None:
        """Both in turn, while the cells grow and move; the same values by the table alone."""
        plain, choose = MemoryStore(), random.Random(3)
        held = {str(number): store.table(TIMES).histogram((str(number),)) for number in range(1500)}
        for _ in range(6000):
            name, value = str(choose.randrange(1500)), choose.uniform(0, 5)
            plain.table(TIMES).observe((name,), value)
            if choose.random() < 0.3:
                store.table(TIMES).observe((name,), value)
            else:
                held[name].observe(value)
        assert plain.read().tables["times"].series() == store.read().tables["times"].series()

    def test_of_a_closed_store_records_nowhere(self, store: Store) -> None:
        held = store.table(TIMES).histogram(("x",))
        held.observe(0.5)
        store.close()
        held.observe(0.5)

    @pytest.mark.parametrize("layout", [
        Layout("extremes", Kind.HISTOGRAM, (), (1.0,), min_max=True),
        Layout("exemplars", Kind.HISTOGRAM, (), (1.0,), exemplars=True),
    ], ids=lambda layout: layout.name)  # fmt: skip
    def test_has_neither_extremes_nor_exemplars(self, store: Store, layout: Layout) -> None:
        with pytest.raises(ValueError, match=layout.name):
            store.table(layout).histogram(())

    def test_without_room_each_measurement_is_counted(
        self, mapped: MappedStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        held = mapped.table(TIMES).histogram(("x" * (MAX_KEY_BYTES + 1),))
        with caplog.at_level(logging.CRITICAL):
            for _ in range(3):
                held.observe(0.5)
        reading = mapped.read()
        assert 3.0 == reading.lost
        assert [] == [table for table in reading.tables.values() if table.series()]

    def test_threads_lose_nothing(self, store: Store) -> None:
        held, gate = [store.table(TIMES).histogram((str(number),)) for number in range(50)], threading.Barrier(4)
        interval = sys.getswitchinterval()

        def work() -> None:
            gate.wait()
            for turn in range(5_000):
                held[turn % 50].observe(3.0)

        threads = [threading.Thread(target=work) for _ in range(4)]
        sys.setswitchinterval(1e-6)
        try:
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                store.read()
        finally:
            sys.setswitchinterval(interval)
        expected = {(str(number),): [0.0, 0.0, 400.0, 0.0, 1200.0] for number in range(50)}
        assert expected == store.read().tables["times"].series()

    @pytest.mark.parametrize("held", [True, False], ids=["held", "by the table"])
    def test_waits_for_who_has_the_stores_lock(self, store: Store, held: bool) -> None:
        """What the test above cannot tell where the interpreter lets no thread in between two cells."""
        table = store.table(TIMES)
        observe = table.histogram(("x",)).observe if held else partial(table.observe, ("x",))
        waiting = threading.Thread(target=observe, args=(1.0,))
        with store.lock:
            waiting.start()
            waiting.join(0.1)
            assert waiting.is_alive()
        waiting.join()
        assert 1 == len(store.read().tables["times"].series())

    @pytest.mark.parametrize(
        ("kind", "in_child", "in_parent"),
        [
            ("MemoryStore()", [0.0, 1.0, 3.0], [1.0, 0.0, 0.5]),
            ("open_store((), sys.argv[1])", [1.0, 1.0, 3.5], [1.0, 1.0, 3.5]),
        ],
        ids=["memory", "mapped"],
    )
    def test_of_a_forked_child_is_the_childs(
        self, tmp_path: Path, kind: str, in_child: list[float], in_parent: list[float]
    ) -> None:
        seen = run(f"""
            from telemetry.store import MemoryStore
            store = {kind}
            times, other = (Layout(name, Kind.HISTOGRAM, (), (1.0,)) for name in ("times", "other"))
            held = store.table(times).histogram(())
            held.observe(0.5)

            def work():
                store.table(other).observe((), 2.0)  # it has the place that the parent's had
                held.observe(3.0)
                found = {{name: table.series()[()] for name, table in store.read().tables.items()}}
                assert {{"times": {in_child}, "other": [0.0, 1.0, 2.0]}} == found, found

            child(work)
            print(json.dumps(store.read().tables["times"].series()[()]))
        """, tmp_path)  # fmt: skip
        assert in_parent == seen
