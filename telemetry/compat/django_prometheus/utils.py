"""Times and buckets, with the names of django-prometheus 2.5.0."""

from __future__ import annotations

from time import perf_counter


def Time() -> float:
    """A moment, for `TimeSince` only."""
    return perf_counter()


def TimeSince(t: float) -> float:
    """The seconds since a moment that `Time` gave."""
    return perf_counter() - t


def PowersOf(logbase: float, count: int, lower: int = 0, include_zero: bool = True) -> list[float]:
    """`count` powers of `logbase` from `logbase**lower` on, after a 0 unless `include_zero` is false."""
    powers = [logbase**power for power in range(lower, lower + count)]
    return [0, *powers] if include_zero else powers
