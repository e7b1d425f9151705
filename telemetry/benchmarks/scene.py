"""A scene: one job that several contenders do, each in a fresh process, and the price that each had for it."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import inf
from time import process_time, thread_time
from typing import Any

UNWATCHED = "unwatched"
"""What else an outcome may tell: the price of the same operation that nobody watches, in the same process and in turn
with the watched one. It is what the contender adds to, then: prices differ more between processes than by what watching
costs."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one process tells: the price of one operation, facts in which all contenders must agree, and what else
    the reader of a table may want to see, by the column's name."""

    price: float
    facts: Mapping[str, float] = field(default_factory=dict)
    also: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Budget:
    """How much `ours` may add, as a share of what `theirs` adds: at most, and what is wanted.

    Where the scene is `whole`, the whole prices are compared. Without a limit the ratio is told, and held to nothing.
    """

    ours: str
    theirs: str
    at_most: float = inf
    wanted: float = inf


@dataclass(frozen=True, slots=True)
class Scene:
    """`run` is called in a process of its own, with the contender's name; its price is in `unit`.

    The first contender is what the others add to, unless `whole` says that there is no such thing.
    The contenders in `free` must cost what it costs, within noise. `seconds` is about how long one contender's
    turn takes. `needs` tells why the scene cannot be played on this machine, empty where it can.
    """

    name: str
    title: str
    unit: str
    contenders: tuple[str, ...]
    run: Callable[[str], Outcome]
    budgets: tuple[Budget, ...] = ()
    whole: bool = False
    free: tuple[str, ...] = ()
    rounds: int = 7
    seconds: float = 2.0
    needs: Callable[[], str] = str

    @property
    def module(self) -> str:
        """Where it is written."""
        run: Any = self.run
        return str((run.func if isinstance(run, partial) else run).__module__)


def timed(operation: Callable[[], object], *, times: int, blocks: int = 15, warm: int | None = None) -> float:
    """CPU seconds of one operation: the median over blocks of `times` calls each, after warming up.

    CPU time and not the clock's: what other processes do meanwhile is not the contender's price, what
    its own threads do is.
    """
    for _ in range(times if warm is None else warm):
        operation()
    prices = []
    gc.collect()
    for _ in range(blocks):
        start = process_time()
        for _ in range(times):
            operation()
        prices.append((process_time() - start) / times)
    return statistics.median(prices)


def in_turn(
    watched: Callable[[], object], unwatched: Callable[[], object], *, times: int, turns: int, end: Callable[[], object]
) -> tuple[float, float]:
    """CPU seconds of each of two operations: the second's median, and on top the median of the differences.

    They take turns of `times` calls each, so short that no disturbance outlasts one unseen by the other; a tenth of
    the turns more before are not measured. What other threads compute, until `end` has returned, is the first's.
    """

    def turn(operation: Callable[[], object]) -> float:
        start = thread_time()
        for _ in range(times):
            operation()
        return (thread_time() - start) / times

    def both(number: int) -> tuple[float, float]:
        if number % 2:
            first = turn(watched)
            return first, turn(unwatched)
        second = turn(unwatched)
        return turn(watched), second

    for number in range(turns // 10):
        both(number)
    gc.collect()
    process, mine = process_time(), thread_time()
    found = [both(number) for number in range(turns)]
    mine = thread_time() - mine
    end()
    others = (process_time() - process - mine) / (turns * times)
    base = statistics.median(bare for _, bare in found)
    return base + statistics.median(price - bare for price, bare in found) + others, base
