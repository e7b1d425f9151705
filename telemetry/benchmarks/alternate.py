"""Contenders in turn, each round in fresh processes, and what can be said of the prices."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from telemetry.benchmarks import contenders
from telemetry.benchmarks.scene import UNWATCHED, Budget, Outcome, Scene

_SECONDS = 300


class Unfair(Exception):
    """Contenders did not do the same work."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """What one contender adds, as a share of what another adds: the median over the rounds, and an interval
    that holds it with 95 % by bootstrap.

    Where the budget is `free`, the whole prices are compared, and it is met where the interval goes down to 1.
    """

    budget: Budget
    median: float
    low: float
    high: float
    free: bool = False

    @property
    def met(self) -> bool:
        """Whether it costs no more than it may."""
        return (self.low if self.free else self.median) <= self.budget.at_most

    def beyond(self, margin: float) -> bool:
        """Whether it is above its budget by more than this share of it; of a `free` one, surely so."""
        return (self.low if self.free else self.median) > self.budget.at_most * (1 + margin)


@dataclass(frozen=True, slots=True)
class Result:
    """The prices of each contender, a round each, in the scene's unit, and what else was told with each."""

    scene: Scene
    prices: dict[str, list[float]]
    also: dict[str, list[Mapping[str, float]]]

    def added(self, contender: str) -> list[float]:
        """What it adds in each round to what nobody watches in its own process or, where that is not told, to the
        baseline; the whole price where the scene has no baseline.
        """
        mine = self.prices[contender]
        if self.scene.whole:
            return mine
        bases = self.prices[self.scene.contenders[0]]
        also = self.also.get(contender) or [{}] * len(mine)
        return [price - told.get(UNWATCHED, base) for price, base, told in zip(mine, bases, also, strict=True)]

    def ratios(self) -> list[Ratio]:
        """One for each budget of the scene, and for each contender that must cost nothing."""
        found = [_ratio(budget, self.added(budget.ours), self.added(budget.theirs)) for budget in self.scene.budgets]
        base = self.scene.contenders[0]
        for contender in self.scene.free:
            budget = Budget(contender, base, 1.0, 1.0)
            found.append(replace(_ratio(budget, self.prices[contender], self.prices[base]), free=True))
        return found


def play(
    scene: Scene, rounds: int, told: Callable[[str], None], alone: Callable[[Scene, str], Outcome] | None = None
) -> Result:
    """A B C, B C A, …: each contender once a round, beginning with another one each time.

    `alone` lets one play, by default in a process of its own; `told` hears how far it is.

    Raises:
        Unfair: the contenders' facts differ.
        RuntimeError: a contender's process failed.
    """
    prices: dict[str, list[float]] = {contender: [] for contender in scene.contenders}
    also: dict[str, list[Mapping[str, float]]] = {contender: [] for contender in scene.contenders}
    for turn in range(rounds):
        facts: dict[str, object] = {}
        first = turn % len(scene.contenders)
        for contender in (*scene.contenders[first:], *scene.contenders[:first]):
            outcome = (alone or _alone)(scene, contender)
            prices[contender].append(outcome.price)
            also[contender].append(outcome.also)
            facts[contender] = outcome.facts
        if any(each != facts[scene.contenders[0]] for each in facts.values()):
            raise Unfair(f"{scene.name}: the contenders did different work: {facts}")
        told(f"{scene.name}: round {turn + 1} of {rounds}")
    return Result(scene, prices, also)


def _alone(scene: Scene, contender: str) -> Outcome:
    with contenders.scratch() as directory:
        done = subprocess.run(
            [sys.executable, "-m", "telemetry.benchmarks.child", scene.module, scene.name, contender],
            env=contenders.environ(contender, directory),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
    if done.returncode:
        raise RuntimeError(f"{scene.name}, {contender}: {done.stderr[-2000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    return Outcome(**told)


def _ratio(budget: Budget, ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    # Each round's two prices belong together: what disturbs one machine's minute disturbs both.
    pairs, drawn = list(zip(ours, theirs, strict=True)), random.Random(1)
    found = sorted(_share(drawn.choices(pairs, k=len(pairs))) for _ in range(2000))
    return Ratio(budget, _share(pairs), found[50], found[-51])


def _share(pairs: Sequence[tuple[float, float]]) -> float:
    mine, other = (statistics.median(each) for each in zip(*pairs, strict=True))
    return float(mine / other)
