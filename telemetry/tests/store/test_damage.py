"""Files that do not hold what they promise are skipped and counted; nothing is raised, nothing invented."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from telemetry.errors import SegmentCorrupt
from telemetry.samples import Exemplar
from telemetry.spec import Kind, Layout
from telemetry.store import MappedStore, layout, open_store, total
from telemetry.store._gathered import Gathered
from telemetry.store._processes import Owner
from telemetry.store.layout import FIRST, USED, Header, Records
from telemetry.store.total import Total
from telemetry.tests.store.processes import total as sum_of

C = Layout("c", Kind.SUM, ("k",))
BOOT = "12345678-1234-5678-1234-567812345678"


def other(store: MappedStore) -> MappedStore:
    """A second store on the same directory: to this one the first is another process."""
    made = open_store((), store.directory.path)
    assert isinstance(made, MappedStore)
    return made


def segment_of(store: MappedStore) -> Path:
    return next(store.directory.path.glob("seg-*"))


class TestHeader:
    @pytest.mark.parametrize("anchor", [None, Owner(5, 6, 7, BOOT)])
    def test_comes_back(self, anchor: Owner | None) -> None:
        header = Header(3, 9, Owner(1, 2, 4026531836, BOOT), anchor)
        assert header == layout.unpack_header(header.pack())

    def test_any_changed_byte_is_seen(self) -> None:
        packed = Header(3, 9, Owner(1, 2, 3, BOOT)).pack()
        for place in range(len(packed)):
            damaged = bytearray(packed)
            damaged[place] ^= 0x10
            with pytest.raises(SegmentCorrupt):
                layout.unpack_header(bytes(damaged))


class TestRecords:
    def test_stop_before_a_damaged_one_and_go_on_when_it_is_whole(self) -> None:
        first = layout.layout_record(C) + layout.series_record(0, ("a",)) + bytes(8)
        second = layout.series_record(0, ("b",)) + bytes(8)
        whole = first + second
        for place in range(len(first), len(first) + 17):
            damaged = bytearray(whole)
            damaged[place] ^= 0x10
            records = Records(end=0)
            with pytest.raises(SegmentCorrupt):
                records.extend(bytes(damaged), len(whole) // 8)
            assert [("a",)] == [key for key, _ in records.tables[0].series]
            records.extend(whole, len(whole) // 8)
            assert [("a",), ("b",)] == [key for key, _ in records.tables[0].series]


class TestExemplars:
    def test_a_mixture_of_two_is_dropped(self) -> None:
        """Whatever part of the old and of the new a reader copied."""
        cells = [memoryview(bytearray(48)).cast("d") for _ in range(2)]
        words = [each.cast("B").cast("Q") for each in cells]
        exemplars = [Exemplar(1.5, 100.0, 7 << 64 | 8, 9), Exemplar(2.5, 200.0, 10 << 64 | 11, 12)]
        for n in range(2):
            layout.write_exemplar(cells[n], words[n], 0, exemplars[n])
            assert exemplars[n] == layout.read_exemplar(cells[n], words[n], 0)
        for pattern in range(1, 63):
            mixed = memoryview(bytearray(48)).cast("Q")
            for place in range(6):
                mixed[place] = words[pattern >> place & 1][place]
            assert layout.read_exemplar(mixed.cast("B").cast("d"), mixed, 0) is None


class TestTotalFile:
    def test_comes_back(self, tmp_path: Path) -> None:
        written = Total(
            4, 12.5, "instance", BOOT, (Owner(1, 2, 3, BOOT),), 17, frozenset({3, 9}), corrupt=2, lost=5.0,
            gathered=Gathered(),
        )  # fmt: skip
        written.write(tmp_path)
        assert written == total.load(tmp_path)
        assert ["total"] == os.listdir(tmp_path)

    def test_absorbed_are_those_below_the_mark_that_are_not_open(self) -> None:
        found = Total(1, watermark=5, open_ids=frozenset({2}))
        assert [True, False, True, True, False, False] == [found.absorbed(n) for n in range(1, 7)]

    def test_any_damage_is_seen(self, mapped: MappedStore) -> None:
        mapped.table(C).add(("x",))
        good = (mapped.directory.path / "total").read_bytes()
        choose = random.Random(1)
        for _ in range(200):
            damaged = bytearray(good)
            damaged[choose.randrange(len(damaged))] ^= 1 << choose.randrange(8)
            with pytest.raises(SegmentCorrupt):
                total.parse(bytes(damaged))
        for length in range(0, len(good), 7):
            with pytest.raises(SegmentCorrupt):
                total.parse(good[:length])


class TestDamagedFiles:
    @pytest.mark.parametrize("damage", ["empty", "short", "header", "used", "used nan", "garbage", "record"])
    def test_a_damaged_segment_costs_itself_only(self, mapped: MappedStore, damage: str) -> None:
        mapped.table(C).add(("x",), 5)
        intact = other(mapped)
        intact.table(C).add(("x",), 2)
        path = mapped.directory.path / "seg-1-1"
        data = bytearray(path.read_bytes())
        if damage == "header":
            data[20] ^= 1
        elif damage == "used":
            memoryview(data).cast("d")[USED] = 1e9
        elif damage == "used nan":
            memoryview(data).cast("d")[USED] = float("nan")
        elif damage == "record":
            data[FIRST * 8 + 5] ^= 1
        elif damage == "garbage":
            data = bytearray(random.Random(2).randbytes(len(data)))
        # replaced, not written into: the owner has it mapped
        replacement = path.with_name("replacement")
        replacement.write_bytes({"empty": b"", "short": bytes(data[:100])}.get(damage, bytes(data)))
        reader = other(mapped)
        replacement.rename(path)
        reading = reader.read()
        assert 2.0 == sum_of(reading)
        assert 1 == reading.corrupt
        intact.close()

    def test_a_damaged_total_begins_a_generation(self, mapped: MappedStore) -> None:
        mapped.table(C).add(("x",), 5)
        path = mapped.directory.path / "total"
        path.write_bytes(b"nonsense")
        assert 5.0 == sum_of(mapped.read())
        assert 1 == mapped.read().corrupt
        late = other(mapped)
        late.table(C).add(("x",), 2)
        assert 2 == late.read().generation
        # its file is of the old generation: it comes back with all that it has
        mapped.read()
        assert [7.0, 7.0] == [sum_of(mapped.read()), sum_of(late.read())]
        late.close()

    def test_foreign_files_are_left_alone(self, mapped: MappedStore) -> None:
        mapped.directory.path.mkdir()
        for name in ("seg-x-1", "seg-1-1.bak", "notes.txt"):
            (mapped.directory.path / name).write_text("mine")
        mapped.table(C).add(("x",))
        other(mapped).table(C).add(("x",))
        for name in ("seg-x-1", "seg-1-1.bak", "notes.txt"):
            assert "mine" == (mapped.directory.path / name).read_text()

    def test_a_wiped_directory_is_filled_again(self, mapped: MappedStore) -> None:
        second = other(mapped)
        mapped.table(C).add(("x",), 5)
        second.table(C).add(("y",), 2)
        for file in mapped.directory.path.iterdir():
            file.unlink()
        for store in (mapped, second):
            store.read()
        mapped.table(C).add(("x",), 1)
        assert [8.0, 8.0] == [sum_of(store.read()) for store in (mapped, second)]
        second.close()

    def test_a_wiped_directory_is_filled_again_before_it_is_read(self, mapped: MappedStore) -> None:
        mapped.table(C).add(("x",), 5)
        shutil.rmtree(mapped.directory.path)
        mapped.serve()
        assert 5.0 == sum_of(mapped.read())

    def test_what_others_fold_in_a_wiped_directory_is_not_taken_for_ours(self, mapped: MappedStore) -> None:
        ended = [other(mapped) for _ in range(3)]
        late = other(mapped)
        for store in (mapped, late, *ended):
            store.table(C).add(("x",), 1)
        shutil.rmtree(mapped.directory.path)
        # the directory counts from 1 again, and folds ids that `late` had before
        mapped.attach()
        for store in ended:
            store.attach()
            store.close()
        other(mapped).attach()
        late.attach()
        assert 5.0 == sum_of(mapped.read())
        late.close()

    def test_one_segment_taken_away_comes_back_once(self, mapped: MappedStore) -> None:
        second = other(mapped)
        mapped.table(C).add(("x",), 5)
        second.table(C).add(("y",), 2)
        (mapped.directory.path / "seg-1-1").unlink()
        mapped.read()
        assert [7.0, 7.0] == [sum_of(store.read()) for store in (mapped, second)]
        second.close()
