"""A scene: one job that several contenders do, each in a fresh process, and the price that each had for it."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import inf
from time import process_time
from typing import Any


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
