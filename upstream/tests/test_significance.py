from __future__ import annotations

import itertools
import math
import random
from collections import Counter

import pytest

from upstream.detection.significance import cohens_h, holm, median, rate_increase, upward_shift


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


class TestUpwardShift:
    @pytest.mark.parametrize("seed", range(8))
    def test_p_value_is_near_the_exact_one(self, seed: int) -> None:
        chance = random.Random(seed)
        baseline = [chance.randint(0, 6) for _ in range(9)]
        current = [chance.randint(0, 6) + seed % 3 for _ in range(8)]
        p_value, _ = upward_shift(Counter(baseline), Counter(current))
        assert exact_shift_p_value(baseline, current) == pytest.approx(p_value, abs=0.03)

    @pytest.mark.parametrize("seed", range(3))
    def test_effect_is_the_share_of_pairs_above_less_those_below(self, seed: int) -> None:
        chance = random.Random(seed)
        baseline = [chance.randint(0, 9) for _ in range(30)]
        current = [chance.randint(2, 12) for _ in range(20)]
        pairs = list(itertools.product(baseline, current))
        expected = sum((new > old) - (new < old) for old, new in pairs) / len(pairs)
        assert expected == pytest.approx(upward_shift(Counter(baseline), Counter(current))[1])

    def test_all_alike_is_no_shift(self) -> None:
        assert (1.0, 0.0) == upward_shift({5: 60}, {5: 60})

    def test_earlier_is_no_upward_shift(self) -> None:
        p_value, effect = upward_shift({20: 60, 21: 60}, {10: 60, 11: 60})
        assert p_value > 0.99
        assert -1.0 == effect

    def test_tiny_p_values_keep_their_size(self) -> None:
        assert 0 < upward_shift({1: 500}, {2: 500})[0] < 1e-200


class TestRateIncrease:
    @pytest.mark.parametrize(
        ("baseline", "current"),
        [((80, 1000), (80, 1000)), ((80, 1000), (35, 300)), ((200, 1000), (50, 300)), ((90, 900), (45, 300))],
    )
    def test_p_value_is_near_the_exact_one(self, baseline: tuple[int, int], current: tuple[int, int]) -> None:
        assert exact_rate_p_value(baseline, current) == pytest.approx(rate_increase(baseline, current), abs=0.04)

    @pytest.mark.parametrize("hits", [0, 100])
    def test_no_variance_is_no_increase(self, hits: int) -> None:
        assert 1.0 == rate_increase((hits, 100), (hits, 100))


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
