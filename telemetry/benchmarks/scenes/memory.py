"""Memory that a worker has for itself after some work, with and without `--preload`, with few series and with many."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

from telemetry.benchmarks import contenders
from telemetry.benchmarks.scene import Budget, Outcome, Scene
from telemetry.benchmarks.scenes.scrape import recorder

_IMPORTS = (
    "opentelemetry.sdk.metrics",
    "opentelemetry.sdk.trace.export",
    "opentelemetry.exporter.prometheus",
    "opentelemetry.instrumentation.django",
    "prometheus_client",
)
_LEAN = "bare, without OpenTelemetry's imports"
_REQUESTS = 2000
_SERIES = 600, 2400
"""Histograms and counters, as in the scenes of the scrape."""


def _run(contender: str, *, preload: bool, series: bool) -> Outcome:
    """Everybody but one imports OpenTelemetry, so that what it weighs stands apart."""
    if contender != _LEAN:
        for name in _IMPORTS:
            import_module(name)
    contenders.set_up(contenders.BARE if contender == _LEAN else contender)
    record = (
        recorder(contender, *_SERIES) if series and contender in (contenders.THEIRS_MULTI, contenders.OURS) else None
    )
    from django.core.handlers.wsgi import WSGIHandler

    if not preload:
        return Outcome(_work(WSGIHandler(), record))
    handler = WSGIHandler()  # the master has the application, and serves nothing
    told, tell = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(tell, str(_work(handler, record)).encode())
        os._exit(0)
    os.close(tell)
    price = float(os.read(told, 64))
    os.waitpid(pid, 0)
    return Outcome(price)


def _work(handler: object, record: Callable[[], None] | None) -> float:
    """MiB that this process alone has, heap and mapped files, after its share of requests, queries and measurements."""
    from django.db import connection
    from django.test import RequestFactory

    for number in range(_REQUESTS):
        environ = RequestFactory().get(f"/{('plain', 'async', 'nowhere')[number % 3]}").environ
        response = handler(environ, lambda status, headers, exc_info=None: None)  # type: ignore[operator]
        response.close()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    if record is not None:
        for _ in range(10):
            record()
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return sum(int(kib) for kib in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+)", rollup, re.MULTILINE)) / 1024


def _needs() -> str:
    return "" if Path("/proc/self/smaps_rollup").exists() else "there is no /proc/self/smaps_rollup"


SCENES = tuple(
    Scene(
        name=name,
        title=f"Private memory of a worker {title}",
        unit="MiB",
        contenders=(contenders.BARE, _LEAN, contenders.THEIRS_MULTI, contenders.OURS),
        run=partial(_run, preload=preload, series=series),
        budgets=(Budget(contenders.OURS, contenders.THEIRS_MULTI, *limits),),
        rounds=3,
        seconds=1.5,
        needs=_needs,
    )
    for name, title, preload, series, limits in (
        ("memory", "that keeps 13,800 lines", False, True, (0.5, 0.3)),
        (
            "memory-preload",
            "that keeps 13,800 lines, forked from a master with the application",
            True,
            True,
            (0.5, 0.3),
        ),
        ("memory-few", "that keeps three views", False, False, ()),
        ("memory-few-preload", "that keeps three views, forked from a master with the application", True, False, ()),
    )
)
