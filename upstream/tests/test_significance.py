from __future__ import annotations

import itertools
import math
import random
from collections import Counter

import pytest

from upstream.detection.significance import (
    cliffs_delta,
    cohens_h,
    holm,
    median,
    rate_increase,
    stratified_increase,
    upward_shift,
)


def exact_shift_p_value(baseline: list[int], current: list[int]) -> float:
    """The share of all ways to split the values with a U at least as large: what the normal curve approximates."""

    def u(new: tuple[int, ...]) -> float:
        chosen = set(new)
        old = [pool[index] for index in range(len(pool)) if index not in chosen]
        return sum((pool[a] > b) + (pool[a] == b) / 2 for a in new for b in old)

    pool = baseline + current
    observed = u(tuple(range(len(baseline), len(pool))))
    splits = [u(split) for split in itertools.combinations(range(len(pool)), len(current))]
    return sum(value >= observed for value in splits) / len(splits)


def exact_rate_p_value(baseline: tuple[int, int], current: tuple[int, int]) -> float:
    """Fisher's exact test, one-sided."""
    (hits, trials), (new_hits, new_trials) = baseline, current
    all_hits, total = hits + new_hits, trials + new_trials
    ways = sum(
        math.comb(new_trials, count) * math.comb(trials, all_hits - count)
        for count in range(new_hits, min(new_trials, all_hits) + 1)
    )
    return ways / math.comb(total, all_hits)


def exact_stratified_p_value(strata: list[tuple[int, int, int, int]]) -> float:
    """The chance of at least as many new hits in all strata together, the hits of each stratum given."""
    chances = {0: 1.0}
    for hits, trials, new_hits, new_trials in strata:
        all_hits, total = hits + new_hits, trials + new_trials
        summed: Counter[int] = Counter()
        for so_far, chance in chances.items():
            for count in range(max(0, all_hits - trials), min(new_trials, all_hits) + 1):
                ways = math.comb(new_trials, count) * math.comb(trials, all_hits - count)
                summed[so_far + count] += chance * ways / math.comb(total, all_hits)  # type: ignore[assignment]
        chances = dict(summed)
    observed = sum(new_hits for _, _, new_hits, _ in strata)
    return sum(chance for count, chance in chances.items() if count >= observed)


class TestUpwardShift:
    @pytest.mark.parametrize("seed", range(8))
    def test_p_value_is_near_the_exact_one(self, seed: int) -> None:
        chance = random.Random(seed)
        baseline = [chance.randint(0, 6) for _ in range(9)]
        current = [chance.randint(0, 6) + seed % 3 for _ in range(8)]
        p_value = upward_shift(Counter(baseline), Counter(current))
        assert exact_shift_p_value(baseline, current) == pytest.approx(p_value, abs=0.03)

    def test_all_alike_is_no_shift(self) -> None:
        assert 1.0 == upward_shift({5: 60}, {5: 60})

    def test_earlier_is_no_upward_shift(self) -> None:
        assert upward_shift({20: 60, 21: 60}, {10: 60, 11: 60}) > 0.99

    def test_tiny_p_values_keep_their_size(self) -> None:
        assert 0 < upward_shift({1: 500}, {2: 500}) < 1e-200


class TestCliffsDelta:
    @pytest.mark.parametrize("seed", range(3))
    def test_is_the_share_of_pairs_above_less_those_below(self, seed: int) -> None:
        chance = random.Random(seed)
        baseline = [chance.randint(0, 9) for _ in range(30)]
        current = [chance.randint(2, 12) for _ in range(20)]
        pairs = list(itertools.product(baseline, current))
        expected = sum((new > old) - (new < old) for old, new in pairs) / len(pairs)
        assert expected == pytest.approx(cliffs_delta(Counter(baseline), Counter(current)))

    @pytest.mark.parametrize(("baseline", "current", "expected"), [({1: 9}, {2: 3}, 1.0), ({2: 9}, {1: 3}, -1.0)])
    def test_ends_at_1(self, baseline: dict[int, float], current: dict[int, float], expected: float) -> None:
        assert expected == cliffs_delta(baseline, current)

    def test_only_the_proportion_of_weights_counts(self) -> None:
        weights = cliffs_delta({1: 0.5, 2: 0.25, 5: 0.25}, {2: 3, 4: 1})
        assert cliffs_delta({1: 2, 2: 1, 5: 1}, {2: 3, 4: 1}) == pytest.approx(weights)


class TestRateIncrease:
    @pytest.mark.parametrize(
        ("baseline", "current"),
        [
            ((80, 1000), (80, 1000)),
            ((80, 1000), (35, 300)),
            ((200, 1000), (50, 300)),
            ((90, 900), (45, 300)),
            ((900, 900), (45, 300)),
            ((3, 300), (9, 60)),
            ((0, 300), (5, 60)),
            ((5, 300), (0, 60)),
            ((290, 300), (60, 60)),
            ((1, 9), (4, 5)),
        ],
    )
    def test_p_value_is_that_of_all_ways(self, baseline: tuple[int, int], current: tuple[int, int]) -> None:
        assert exact_rate_p_value(baseline, current) == pytest.approx(rate_increase(baseline, current), rel=1e-9)

    def test_of_many_claims(self) -> None:
        # As many as the normal curve is good for: 3 standard deviations.
        assert 0.00135 == pytest.approx(rate_increase((100_000, 1_000_000), (100_424 + 848, 1_000_000)), rel=0.05)
        assert 1.0 == pytest.approx(rate_increase((200_000, 1_000_000), (100_000, 1_000_000)))
        assert 0.0 == rate_increase((100_000, 1_000_000), (200_000, 1_000_000))

    @pytest.mark.parametrize("hits", [0, 100])
    def test_no_variance_is_no_increase(self, hits: int) -> None:
        assert 1.0 == rate_increase((hits, 100), (hits, 100))


class TestStratifiedIncrease:
    @pytest.mark.parametrize("seed", range(6))
    def test_p_value_is_near_the_exact_one(self, seed: int) -> None:
        chance = random.Random(seed)
        strata = []
        for _ in range(3):
            trials, new_trials = chance.randint(20, 40), chance.randint(20, 40)
            strata.append((chance.randint(4, 12), trials, chance.randint(5, 16), new_trials))
        assert exact_stratified_p_value(strata) == pytest.approx(stratified_increase(strata), abs=0.02)

    def test_like_is_compared_with_like(self) -> None:
        # The rates are 10 % and 90 % before and after; there are only more of the latter now.
        same = [(10, 100, 1, 10), (9, 10, 90, 100)]
        assert stratified_increase(same) > 0.4
        assert rate_increase((19, 110), (91, 110)) < 1e-9

    @pytest.mark.parametrize("strata", [[], [(0, 0, 5, 10)], [(5, 10, 0, 0)], [(10, 10, 5, 5)]])
    def test_nothing_to_compare_is_no_increase(self, strata: list[tuple[int, int, int, int]]) -> None:
        assert 1.0 == stratified_increase(strata)


class TestCohensH:
    def test_known_value(self) -> None:
        # From nothing to everything is the largest change there is.
        assert math.pi == pytest.approx(cohens_h(0, 1))
        assert -math.pi == pytest.approx(cohens_h(1, 0))


class TestMedian:
    @pytest.mark.parametrize(
        ("values", "expected"), [([3], 3), ([1, 2], 1.5), ([1, 1, 9], 1), ([1, 2, 4, 9], 3), ([2, 2, 3, 3], 2.5)]
    )
    def test_is_that_of_the_values(self, values: list[int], expected: float) -> None:
        assert expected == median(Counter(values))

    def test_of_nothing_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="no values"):
            median({})


class TestHolm:
    def test_stops_at_the_first_that_does_not_pass(self) -> None:
        # 0.012 <= 0.05/4; 0.016 <= 0.05/3; 0.03 > 0.05/2, and 0.04 is not looked at any more.
        assert [False, True, False, True] == holm([0.04, 0.012, 0.03, 0.016], 0.05)

    def test_none(self) -> None:
        assert [] == holm([], 0.05)
