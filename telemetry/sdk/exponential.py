"""Exponential histograms that add up exactly across processes.

The SDK chooses a scale for each series and lowers it as values spread, so that two processes have two
scales at once. Here every process records at one fixed scale into dense buckets, which add up like any
others, and the collector lowers the scale until the buckets fit `max_size`: lowering by one joins pairs of
neighbours and is exact. What is given up is a scale above `SCALE`, and values outside
2**LOWEST to 2**HIGHEST, which count in the outermost buckets.

https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

SCALE = 3
"""The highest scale recorded: 8 buckets for each doubling, 9 % wide."""
LOWEST, HIGHEST = -30, 40
"""Powers of two that the buckets reach: from a nanosecond in seconds to a tebibyte in bytes."""


def scale_for(max_scale: int) -> int:
    """The scale that is recorded for a View's `max_scale`."""
    return min(SCALE, max(max_scale, -3))


@cache
def edges_of(scale: int) -> tuple[float, ...]:
    """Upper bounds of the recorded buckets: 0 for the zero bucket, then the powers of the base."""
    first, last = _indexes(scale)
    return (0.0, *(2.0 ** ((index + 1) / 2.0**scale) for index in range(first, last)))


def buckets_of(cells: Sequence[float], scale: int, max_size: int) -> tuple[int, int, int, list[int]]:
    """Scale, zero count, offset and counts of the positive buckets, from a series' bucket cells."""
    first, _ = _indexes(scale)
    counts = {first + position: int(count) for position, count in enumerate(cells[1:]) if count}
    while counts and max(counts) - min(counts) >= max_size:
        scale -= 1
        joined: dict[int, int] = {}
        for index, count in counts.items():
            joined[index >> 1] = joined.get(index >> 1, 0) + count
        counts = joined
    if not counts:
        return scale, int(cells[0]), 0, [0]
    low, high = min(counts), max(counts)
    return scale, int(cells[0]), low, [counts.get(index, 0) for index in range(low, high + 1)]


def _indexes(scale: int) -> tuple[int, int]:
    return math.floor(LOWEST * 2.0**scale), math.ceil(HIGHEST * 2.0**scale)
