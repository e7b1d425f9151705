"""A counter and a histogram of the OpenTelemetry Meter API, with three attributes."""

from __future__ import annotations

from functools import partial

from telemetry.benchmarks import contenders
from telemetry.benchmarks.scene import Budget, Outcome, Scene, timed

_TIMES = 5000
_ATTRIBUTES = {"product": "driftwatch", "severity": "high", "customer_id": "acme"}


def _run(contender: str, *, kind: str) -> Outcome:
    contenders.set_up(contender)
    from opentelemetry import metrics

    meter = metrics.get_meter("benchmark")
    if kind == "counter":
        record, sample = partial(meter.create_counter("work").add, 1, _ATTRIBUTES), "work_total"
    else:
        record, sample = partial(meter.create_histogram("work").record, 0.3, _ATTRIBUTES), "work_count"
    calls = 0

    def work() -> None:
        nonlocal calls
        calls += 1
        record()

    price = timed(work, times=_TIMES) * 1e6
    if contender == contenders.BARE:
        return Outcome(price, {"calls": calls})
    return Outcome(price, {"calls": contenders.counted(contender, {"ours": sample, "stock": sample})})


SCENES = tuple(
    Scene(
        name=f"business-{kind}",
        title=f"A {kind} of the Meter API, three attributes",
        unit="µs",
        contenders=(contenders.BARE, contenders.STOCK[0.0], contenders.OURS),
        run=partial(_run, kind=kind),
        seconds=0.8,
        budgets=(Budget(contenders.OURS, contenders.STOCK[0.0], 0.70, 0.50),)
        if kind == "counter"
        else (Budget(contenders.OURS, contenders.STOCK[0.0]),),
    )
    for kind in ("counter", "histogram")
)
