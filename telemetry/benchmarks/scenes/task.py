"""Runs of a Celery task that does nothing, as the process of a pool makes them, without a broker and a backend."""

from __future__ import annotations

import logging
import time
from typing import Any

from telemetry.benchmarks import contenders
from telemetry.benchmarks.scene import Budget, Outcome, Scene, timed

_TIMES = 1000
_COUNTED = {"ours": "telemetry_task_started_total", "stock": "flower_task_runtime_seconds_count"}


def _run(contender: str) -> Outcome:
    contenders.set_up(contender)
    if contender in contenders.STOCK.values():
        from opentelemetry.instrumentation.celery import CeleryInstrumentor

        instrumentor: Any = CeleryInstrumentor
        instrumentor().instrument()
    from celery import Celery
    from celery.app.trace import build_tracer
    from celery.fixups.django import DjangoFixup

    # A line of log for each run is every contender's price, and none's.
    logging.getLogger("celery").setLevel(logging.WARNING)
    app = Celery("benchmark", broker="memory://", set_as_current=False)
    fixup = DjangoFixup(app)  # as in every worker of a Django project; its receivers are weakly referenced
    fixup.worker_fixup.install()

    @app.task(name="shop.nothing")
    def nothing() -> None:
        pass

    execute: Any = build_tracer("shop.nothing", app.tasks["shop.nothing"], app=app)
    runs = 0

    def run() -> None:
        nonlocal runs
        runs += 1
        said = {"id": str(runs), "delivery_info": {"routing_key": "celery"}, "ignore_result": True}
        if contender.startswith("ours"):
            said["telemetry_sent"] = time.time()
        execute(str(runs), (), {}, said)

    price = timed(run, times=_TIMES) * 1e6
    counted = runs if contender == contenders.BARE else contenders.counted(contender, _COUNTED)
    return Outcome(price, {"runs": counted})


SCENES = (
    Scene(
        name="task",
        title="A run of a Celery task that does nothing",
        unit="µs",
        contenders=(
            contenders.BARE,
            contenders.STOCK[0.0],
            contenders.STOCK[1.0],
            contenders.OURS,
        ),
        run=_run,
        seconds=1.8,
        budgets=(Budget(contenders.OURS, contenders.STOCK[0.0], 0.60, 0.40),),
    ),
)
