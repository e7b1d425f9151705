"""A read while others fold: every count is in the total or in a segment, never in both or neither."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from telemetry.samples import Reading
from telemetry.spec import Kind, Layout
from telemetry.store import MappedStore, open_store, reaper
from telemetry.store import layout as byte_format
from telemetry.store.merge import Reader
from telemetry.tests.store.processes import child, total

C = Layout("c", Kind.SUM, ("k",))


def opened(path: Path) -> MappedStore:
    store = open_store((), path)
    assert isinstance(store, MappedStore)
    return store


class TestReadWhileFolding:
    @pytest.mark.parametrize(
        "moment", ["before the listing", "after the listing", "before the total", "after the total"]
    )
    def test_sees_each_count_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
        keep, reader = opened(tmp_path), opened(tmp_path)
        keep.table(C).add(("x",), 1)
        child(lambda: opened(tmp_path).table(C).add(("x",), 5), kill=True)
        assert 6.0 == total(reader.read())
        folded: list[MappedStore] = []

        def fold() -> None:
            if not folded:
                folded.append(opened(tmp_path))
                folded[0].attach()

        def around(original: Callable[..., Any], name: str) -> Callable[..., Any]:
            def wrapped(*args: Any) -> Any:
                if moment == f"before the {name}":
                    fold()
                result = original(*args)
                if name == "listing":
                    result = list(result)
                if moment == f"after the {name}":
                    fold()
                return result

            return wrapped

        monkeypatch.setattr(os, "scandir", around(os.scandir, "listing"))
        monkeypatch.setattr(Reader, "_read_total", around(Reader._read_total, "total"))
        reading = reader.read()
        assert folded
        assert not (tmp_path / "seg-1-2").exists()
        assert 6.0 == total(reading)
        assert 6.0 == total(reader.read())

    def test_the_share_of_the_dead_is_in_no_part(self, tmp_path: Path) -> None:
        gauge = Layout("u", Kind.UPDOWN)
        keep = opened(tmp_path)
        keep.table(gauge).add((), 2)
        child(lambda: opened(tmp_path).table(gauge).add((), 7), kill=True)

        def parts(reading: Reading) -> list[Any]:
            return [reading.tables["u"].living, reading.tables["u"].gone]

        assert [{(): [2.0]}, {}] == parts(keep.read())
        opened(tmp_path).attach()
        assert [{(): [2.0]}, {}] == parts(keep.read())


class TestKeys:
    def test_equal_ones_of_segments_are_one_object(self, tmp_path: Path) -> None:
        """A reader of 64 workers keeps the keys of one."""
        stores = [opened(tmp_path) for _ in range(3)]
        for store in stores:
            store.table(C).add(("x",), 1)
        reader = Reader(tmp_path)
        reader.read()
        tables = [defined for known in reader._known.values() for defined in known.records.tables.values()]
        keys = [key for defined in tables if defined.layout == C for key, _ in defined.series]
        assert [("x",)] * 3 == keys
        assert 1 == len(set(map(id, keys)))


class TestTakenForDead:
    def test_what_was_folded_is_not_counted_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """No witness is perfect: a process that was folded alive begins anew with what it records from then."""
        keep, victim, other = opened(tmp_path), opened(tmp_path), opened(tmp_path)
        keep.attach()
        victim.table(C).add(("x",), 5)
        its_file = (tmp_path / "seg-1-2").stat().st_ino
        with monkeypatch.context() as patch:
            patch.setattr(reaper, "_is_held", lambda fd: os.fstat(fd).st_ino != its_file)
            other.attach()
        assert 5.0 == total(other.read())
        assert 5.0 == total(victim.read())
        victim.table(C).add(("x",), 2)
        assert [7.0, 7.0] == [total(store.read()) for store in (victim, other)]


class TestCommit:
    def test_a_series_is_not_seen_before_its_neutral_values(
        self, mapped: MappedStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not even when a finaliser appends a whole record after one that is half written."""
        highest = mapped.table(Layout("m", Kind.MAX))
        other = mapped.table(C)
        other.add(("before",))
        neutral = byte_format.neutral
        seen: list[Reading] = []

        def interrupted(layout: Layout) -> Any:
            if layout.kind is Kind.MAX:
                other.add(("between",))
                seen.append(mapped.read())
            return neutral(layout)

        monkeypatch.setattr(byte_format, "neutral", interrupted)
        highest.raise_to((), -3.0)
        assert [0] == [reading.corrupt for reading in seen]
        assert {} == (seen[0].tables["m"].series() if "m" in seen[0].tables else {})
        reading = mapped.read()
        assert {(): [-3.0]} == reading.tables["m"].series()
        assert 2.0 == total(reading)
