"""From the interpreter's first instruction to an application that can serve."""

from __future__ import annotations

from time import process_time

from telemetry.benchmarks import contenders
from telemetry.benchmarks.scene import Budget, Outcome, Scene


def _run(contender: str) -> Outcome:
    contenders.set_up(contender)
    from django.core.wsgi import get_wsgi_application

    get_wsgi_application()
    return Outcome(process_time() * 1e3)


SCENES = (
    Scene(
        name="startup",
        title="CPU time of a process until the application is loaded",
        unit="ms",
        contenders=(
            contenders.BARE,
            contenders.THEIRS,
            contenders.STOCK[0.0],
            contenders.OURS,
            contenders.OURS_TRACED[0.0],
        ),
        run=_run,
        seconds=0.5,
        budgets=(Budget(contenders.OURS_TRACED[0.0], contenders.STOCK[0.0]),),
    ),
)
