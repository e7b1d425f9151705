"""The tests behind a drift event, and the sizes of the effects.

The standard library suffices: these are a few lines each, and SciPy would weigh more than the rest of
the service together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence


def rate_increase(baseline: tuple[int, int], current: tuple[int, int]) -> float:
    """One-sided p-value that a rate has risen, both given as (hits, trials): Fisher's exact test.

    Exact, so that it holds for rare hits too, where the normal curve does not.
    """
    (hits, trials), (new_hits, new_trials) = baseline, current
    all_hits = hits + new_hits
    if new_hits * trials > hits * new_trials:
        return min(1.0, _hypergeometric_tail(new_hits, new_trials, all_hits, trials + new_trials))
    # The other tail is summed where it is the thin one: its terms fall from the first on.
    return max(0.0, 1 - _hypergeometric_tail(hits + 1, trials, all_hits, trials + new_trials))


def stratified_increase(strata: Iterable[tuple[int, int, int, int]]) -> float:
    """One-sided p-value that rates have risen, given as (hits, trials, new hits, new trials) a stratum.

    The Mantel-Haenszel test with the continuity correction: like is compared with like, so how many trials
    each stratum has does not matter.
    """
    excess = variance = 0.0
    for hits, trials, new_hits, new_trials in strata:
        total, all_hits = trials + new_trials, hits + new_hits
        if trials and new_trials:
            excess += new_hits - new_trials * all_hits / total
            variance += trials * new_trials * all_hits * (total - all_hits) / (total**2 * (total - 1))
    if variance == 0:
        return 1.0
    return _upper_tail((excess - 0.5) / math.sqrt(variance))


def cohens_h(baseline: float, current: float) -> float:
    """The effect size of a change between two rates; 0.2 counts as small, 0.5 as medium, 0.8 as large."""
    return 2 * math.asin(math.sqrt(current)) - 2 * math.asin(math.sqrt(baseline))


def upward_shift(baseline: Mapping[int, int], current: Mapping[int, int]) -> float:
    """One-sided p-value that values have become larger, both given as counts by value.

    The Mann-Whitney test with mid-ranks, the correction of the variance for ties, and the continuity correction.
    """
    size, new_size = sum(baseline.values()), sum(current.values())
    total = size + new_size
    ties = sum(
        (baseline.get(value, 0) + current.get(value, 0)) ** 3 - (baseline.get(value, 0) + current.get(value, 0))
        for value in baseline.keys() | current.keys()
    )
    variance = size * new_size / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    above_half = cliffs_delta(baseline, current) * size * new_size / 2
    return _upper_tail((above_half - 0.5) / math.sqrt(variance))


def cliffs_delta(baseline: Mapping[int, float], current: Mapping[int, float]) -> float:
    """The share of pairs in which the current value is larger less that in which it is smaller, -1 to 1.

    Values are given as counts, or weights, by value. 0.147 counts as small, 0.33 as medium, 0.474 as large.
    """
    below = u = 0.0
    for value in sorted(baseline.keys() | current.keys()):
        old = baseline.get(value, 0)
        u += current.get(value, 0) * (below + old / 2)
        below += old
    return 2 * u / (sum(baseline.values()) * sum(current.values())) - 1


def median(counts: Mapping[int, float]) -> float:
    """The median of values given as counts, or weights, by value; at least one."""
    total = sum(counts.values())
    seen, low = 0.0, None
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


def _hypergeometric_tail(hits: int, draws: int, all_hits: int, total: int) -> float:
    """The chance of at least so many hits, which is at least the expected number, in draws without replacement."""
    if hits > min(draws, all_hits):
        return 0.0
    misses = total - all_hits
    log_term = _log_choose(all_hits, hits) + _log_choose(misses, draws - hits) - _log_choose(total, draws)
    term = tail = math.exp(log_term)
    while term > tail * 1e-17:
        term *= (all_hits - hits) * (draws - hits) / ((hits + 1) * (misses - draws + hits + 1))
        tail += term
        hits += 1
    return tail


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _upper_tail(z: float) -> float:
    # `1 - NormalDist().cdf(z)` has no digits left from z = 8 on.
    return math.erfc(z / math.sqrt(2)) / 2
