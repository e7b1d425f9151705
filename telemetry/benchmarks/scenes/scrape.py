"""A scrape of what several processes have counted, living and dead."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from telemetry.benchmarks import contenders
from telemetry.benchmarks.scene import Budget, Outcome, Scene, timed
from telemetry.catalogue.buckets import LATENCY

_LINES = len(LATENCY) + 3
"""Those of one histogram series."""
_EACH = 600
"""Series of one family, below every limit."""


def _run(contender: str, *, histograms: int, counters: int, living: int, dead: int) -> Outcome:
    contenders.set_up(contender)
    record = recorder(contender, histograms, counters)
    with _Processes() as processes:
        for _ in range(dead):
            processes.end(processes.begin(record))
        for _ in range(living - 1):
            processes.begin(record)
        record()
        page = contenders.page(contender)
        lines = sum(line.startswith("work_") and "_created" not in line for line in page().splitlines())
        if lines != histograms * _LINES + counters:
            raise AssertionError(f"{lines} lines")
        price = timed(page, times=1, blocks=5, warm=1) * 1e3
        names = {"ours": "work_seconds_count", "stock": "work_seconds_count", "theirs": "work_seconds_count"}
        return Outcome(price, {"lines": lines, "counted": contenders.counted(contender, names)})


def recorder(contender: str, histograms: int, counters: int) -> Callable[[], None]:
    """What counts once in every series, as the contender's users would."""
    series = [(f"work_{number // _EACH}", str(number % _EACH)) for number in range(counters)]
    names = sorted({name for name, _ in series})
    if contender == contenders.THEIRS_MULTI:
        import prometheus_client

        latency = prometheus_client.Histogram("work_seconds", "Work.", ["which"], buckets=LATENCY)
        counts = {name: prometheus_client.Counter(name, "Work.", ["which"]) for name in names}

        def record() -> None:
            for number in range(histograms):
                latency.labels(str(number)).observe(0.3)
            for name, which in series:
                counts[name].labels(which).inc()

        return record
    from opentelemetry import metrics

    meter = metrics.get_meter("benchmark")
    histogram = meter.create_histogram("work", unit="s", explicit_bucket_boundaries_advisory=LATENCY)
    adders: dict[str, Any] = {name: meter.create_counter(name) for name in names}

    def measure() -> None:
        for number in range(histograms):
            histogram.record(0.3, {"which": str(number)})
        for name, which in series:
            adders[name].add(1, {"which": which})

    return measure


class _Processes:
    """Forked children that record once and stay until they are told to end."""

    def __init__(self) -> None:
        self._living: dict[int, int] = {}

    def __enter__(self) -> _Processes:
        return self

    def __exit__(self, *exc: object) -> None:
        for pid in list(self._living):
            self.end(pid)

    def begin(self, record: Callable[[], None]) -> int:
        """A child that has recorded; its pid."""
        done, end = os.pipe(), os.pipe()
        pid = os.fork()
        if not pid:
            status = 1
            try:
                # Were the others' ends open here, they would not learn that they are to end.
                for other in (*self._living.values(), end[1], done[0]):
                    os.close(other)
                record()
                os.write(done[1], b".")
                os.read(end[0], 1)
                status = 0
            finally:
                os._exit(status)
        for mine in (done[1], end[0]):
            os.close(mine)
        if os.read(done[0], 1) != b".":
            raise RuntimeError("a child has failed")
        os.close(done[0])
        self._living[pid] = end[1]
        return pid

    def end(self, pid: int) -> None:
        """Let a child end, and wait until it has."""
        os.close(self._living.pop(pid))
        os.waitpid(pid, 0)


def _needs() -> str:
    return "" if hasattr(os, "fork") and sys.platform != "darwin" else "it forks"


_OURS, _MULTI, _STOCK = contenders.OURS, contenders.THEIRS_MULTI, contenders.STOCK[0.0]

SCENES = tuple(
    Scene(
        name=name,
        title=f"A scrape of {title}",
        unit="ms",
        contenders=(theirs, _OURS),
        run=partial(_run, histograms=histograms, counters=counters, living=living, dead=dead),
        budgets=(Budget(_OURS, theirs, at_most, wanted),),
        whole=True,
        rounds=rounds,
        seconds=seconds,
        needs=_needs,
    )
    for name, title, histograms, counters, living, dead, theirs, at_most, wanted, rounds, seconds in (
        ("scrape-1", "13,800 lines, 1 process", 600, 2400, 1, 0, _STOCK, 0.15, 0.08, 7, 1),
        ("scrape-8", "13,800 lines, 8 processes", 600, 2400, 8, 0, _MULTI, 0.06, 0.03, 7, 3),
        ("scrape-64", "13,800 lines, 64 processes", 600, 2400, 64, 0, _MULTI, 0.06, 0.03, 3, 15),
        ("scrape-dead", "1,000 lines, 64 processes and 1,000 dead", 40, 240, 64, 1000, _MULTI, 0.03, 0.01, 2, 40),
    )
)
