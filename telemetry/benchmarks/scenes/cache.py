"""Reads of a local-memory cache."""

from __future__ import annotations

from telemetry.benchmarks import contenders
from telemetry.benchmarks.scene import Budget, Outcome, Scene, timed

_TIMES = 2000


def _run(contender: str) -> Outcome:
    contenders.set_up(contender)
    from django.core.cache import cache

    cache.set("key", "value")
    calls = 0

    def read() -> None:
        nonlocal calls
        calls += cache.get("key") == "value"

    price = timed(read, times=_TIMES) * 1e6
    if contender == contenders.BARE:
        return Outcome(price, {"hits": calls})
    name = "django_cache_get_hits_total"
    return Outcome(price, {"hits": contenders.counted(contender, {"ours": name, "theirs": name})})


SCENES = (
    Scene(
        name="cache",
        title="A hit in a local-memory cache",
        unit="µs",
        contenders=(contenders.BARE, contenders.THEIRS, contenders.OURS),
        run=_run,
        seconds=0.8,
        budgets=(Budget(contenders.OURS, contenders.THEIRS),),
    ),
)
