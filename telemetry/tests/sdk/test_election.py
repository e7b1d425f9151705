"""Who may push: one process, the next one at its end, and nobody twice."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest

from telemetry.sdk.election import Election


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made = tmp_path / "store"
    made.mkdir()
    return made


def elections(place: Path, count: int = 2) -> list[Election]:
    return [Election(lambda: place) for _ in range(count)]


class TestElection:
    def test_one_wins_until_it_resigns(self, place: Path) -> None:
        one, other = elections(place)
        assert (True, False, True) == (one.won(), other.won(), one.won())
        one.resign()
        assert (True, False) == (other.won(), one.won())

    def test_who_has_a_store_of_its_own_speaks_for_itself(self) -> None:
        assert [True, True] == [Election(lambda: None).won() for _ in range(2)]

    def test_a_directory_that_is_not_there_gives_nobody_the_right(self, tmp_path: Path) -> None:
        assert not Election(lambda: tmp_path / "missing").won()

    def test_in_a_wiped_directory_there_is_one_holder_again(self, place: Path) -> None:
        one, other = elections(place)
        assert one.won()
        shutil.rmtree(place)
        place.mkdir()
        assert (True, False) == (other.won(), one.won())

    def test_what_was_pushed_is_known_to_the_next(self, place: Path) -> None:
        one, other = elections(place)
        assert one.won()
        assert 0 == one.pushed
        one.pushed = 17
        one.resign()
        assert other.won()
        assert 17 == other.pushed

    def test_who_ends_leaves_it_to_a_holder_that_goes_on(self, place: Path) -> None:
        one, other = elections(place)
        assert one.won()
        assert not other.won_at_last(float("inf"))

    def test_who_ends_waits_for_a_holder_that_ends_too(self, place: Path) -> None:
        one, other = elections(place)
        assert one.won_at_last(0)
        assert not other.won_at_last(time.monotonic())
        waiting: list[bool] = []
        thread = threading.Thread(target=lambda: waiting.append(other.won_at_last(float("inf"))))
        thread.start()
        one.resign()
        thread.join(10)
        assert [True] == waiting

    def test_a_holder_that_goes_on_is_not_taken_for_one_that_ended(self, place: Path) -> None:
        one, other, third = elections(place, 3)
        assert one.won_at_last(0)
        one.resign()
        assert other.won()
        assert not third.won_at_last(float("inf"))
