"""Who plays when, what is refused, and what is made of the prices."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from telemetry.benchmarks.alternate import Result, Unfair, play
from telemetry.benchmarks.scene import UNWATCHED, Budget, Outcome, Scene


def scene(*, whole: bool = False, free: tuple[str, ...] = (), at_most: float = 0.5) -> Scene:
    budget = Budget("b", "c", at_most, 0.3)
    return Scene("x", "X", "µs", ("a", "b", "c"), lambda _: Outcome(0), (budget,), whole, free)


def prices(a: list[float], b: list[float], c: list[float], of: Scene) -> Result:
    return Result(of, {"a": a, "b": b, "c": c}, {})


class TestPlay:
    def test_each_round_begins_with_another_contender(self) -> None:
        turns: list[str] = []

        def alone(_: Scene, contender: str) -> Outcome:
            turns.append(contender)
            return Outcome(len(turns), {"calls": 7}, {"more": 1})

        result = play(scene(), 3, lambda _: None, alone)
        assert ["a", "b", "c", "b", "c", "a", "c", "a", "b"] == turns
        assert {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]} == result.prices
        assert [{"more": 1}] * 3 == result.also["b"]

    def test_who_does_less_ends_the_scene(self) -> None:
        def alone(_: Scene, contender: str) -> Outcome:
            return Outcome(1, {"calls": 6 if contender == "c" else 7})

        with pytest.raises(Unfair, match="'calls': 6"):
            play(scene(), 1, lambda _: None, alone)


class TestRatio:
    def test_is_of_what_is_added_to_the_first(self) -> None:
        (ratio,) = prices([10, 20, 30], [11, 22, 31], [14, 24, 34], scene()).ratios()
        assert (0.25, 0.25, 0.5) == (ratio.median, ratio.low, ratio.high)

    def test_is_of_what_is_added_in_each_ones_own_process_where_that_is_told(self) -> None:
        also: dict[str, list[Mapping[str, float]]] = {
            "b": [{UNWATCHED: 9}, {UNWATCHED: 18}],
            "c": [{UNWATCHED: 8}, {UNWATCHED: 20}],
        }
        (ratio,) = Result(scene(), {"a": [0, 0], "b": [11, 20], "c": [12, 24]}, also).ratios()
        assert (0.5, 0.5, 0.5) == (ratio.median, ratio.low, ratio.high)

    def test_is_of_whole_prices_where_there_is_nothing_to_add_to(self) -> None:
        (ratio,) = prices([10] * 3, [20] * 3, [40] * 3, scene(whole=True)).ratios()
        assert (0.5, 0.5, 0.5) == (ratio.median, ratio.low, ratio.high)

    @pytest.mark.parametrize(
        ("at_most", "met", "beyond"), [(0.6, True, False), (0.45, False, False), (0.3, False, True)]
    )
    def test_is_held_against_its_budget(self, at_most: float, met: bool, beyond: bool) -> None:
        (ratio,) = prices([10] * 3, [20] * 3, [30] * 3, scene(at_most=at_most)).ratios()
        assert (met, beyond) == (ratio.met, ratio.beyond(0.5))


class TestFree:
    def test_is_within_noise_where_the_interval_reaches_the_bare_price(self) -> None:
        *_, ratio = prices([10, 11, 12] * 5, [10.1, 11.2, 11.8] * 5, [20] * 15, scene(free=("b",))).ratios()
        assert ratio.free
        assert ratio.met

    def test_is_above_noise_where_it_does_not(self) -> None:
        *_, ratio = prices([10, 11, 12] * 5, [20, 21, 22] * 5, [30] * 15, scene(free=("b",))).ratios()
        assert not ratio.met
        assert ratio.beyond(0.5)
