"""The tests behind a drift event, by the normal approximation.

The standard library suffices: with the sample sizes required here the approximations are close, and
SciPy would weigh more than the rest of the service together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def rate_increase(baseline: tuple[int, int], current: tuple[int, int]) -> float:
    """One-sided p-value that a rate has risen, both given as (hits, trials): the pooled two-proportion z-test."""
    (hits, trials), (new_hits, new_trials) = baseline, current
    pooled = (hits + new_hits) / (trials + new_trials)
    variance = pooled * (1 - pooled) * (1 / trials + 1 / new_trials)
    if variance == 0:
        return 1.0
    return _upper_tail((new_hits / new_trials - hits / trials) / math.sqrt(variance))


def cohens_h(baseline: float, current: float) -> float:
    """The effect size of a change between two rates; 0.2 counts as small, 0.5 as medium, 0.8 as large."""
    return 2 * math.asin(math.sqrt(current)) - 2 * math.asin(math.sqrt(baseline))


def upward_shift(baseline: Mapping[int, int], current: Mapping[int, int]) -> tuple[float, float]:
    """One-sided p-value that values have become larger, and Cliff's delta (-1 to 1), both given as counts by value.

    The Mann-Whitney test with mid-ranks, the correction of the variance for ties, and the continuity correction.
    """
    size, new_size = sum(baseline.values()), sum(current.values())
    total = size + new_size
    below = 0
    u = 0.0
    ties = 0
    for value in sorted(baseline.keys() | current.keys()):
        old, new = baseline.get(value, 0), current.get(value, 0)
        u += new * (below + old / 2)
        below += old
        ties += (old + new) ** 3 - (old + new)
    delta = 2 * u / (size * new_size) - 1
    variance = size * new_size / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0, delta
    return _upper_tail((u - size * new_size / 2 - 0.5) / math.sqrt(variance)), delta


def median(counts: Mapping[int, int]) -> float:
    """The median of values given as counts by value; at least one."""
    total = sum(counts.values())
    seen, low = 0, None
    for value in sorted(counts):
        seen += counts[value]
        if low is None and seen * 2 >= total:
            low = value
        if seen * 2 > total:
            return (low + value) / 2 if low is not None else float(value)
    raise ValueError("median: no values were given; at least one is needed")


def holm(p_values: Sequence[float], alpha: float) -> list[bool]:
    """Which hypotheses stay rejected when the chance of any false alarm among all is to be at most `alpha`."""
    rejected = [False] * len(p_values)
    for step, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[index] > alpha / (len(p_values) - step):
            break
        rejected[index] = True
    return rejected


def _upper_tail(z: float) -> float:
    # `1 - NormalDist().cdf(z)` has no digits left from z = 8 on.
    return math.erfc(z / math.sqrt(2)) / 2
