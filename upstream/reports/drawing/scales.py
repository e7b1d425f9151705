"""From values to points, and back to the values worth a line."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.ticker import MaxNLocator


@dataclass(frozen=True, slots=True)
class Scale:
    """Puts the values from `low` to `high` between two points of the canvas."""

    low: float
    high: float
    first: float
    last: float

    def __call__(self, value: float) -> float:
        return self.first + (value - self.low) / ((self.high - self.low) or 1) * (self.last - self.first)


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round values from `low` on, the last of them not below `high`."""
    found = MaxNLocator(count, steps=[1, 2, 2.5, 5, 10], min_n_ticks=2).tick_values(
        low, high if high > low else low + 1
    )
    return [float(value) for value in found if value >= low]


def some(days: Sequence[datetime.date], most: int) -> list[datetime.date]:
    """Some of the days, evenly spaced, the last among them."""
    apart = -(-len(days) // most)
    return list(days[::-1][::apart][::-1])


def apart(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The places moved so that they are `gap` from each other, in their order, and between low and high if they fit."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = list(places)
    for earlier, later in pairwise(order):
        moved[later] = max(moved[later], moved[earlier] + gap)
    if order and moved[order[-1]] > high:
        moved[order[-1]] = high
        for later, earlier in pairwise(reversed(order)):
            moved[earlier] = min(moved[earlier], moved[later] - gap)
    return [max(low, place) for place in moved]
