"""Memory that a worker has for itself after some work, with and without `--preload`."""

from __future__ import annotations

import os
import re
from functools import partial
from importlib import import_module
from pathlib import Path

from telemetry.benchmarks import contenders
from telemetry.benchmarks.scene import Budget, Outcome, Scene

_IMPORTS = (
    "opentelemetry.sdk.metrics",
    "opentelemetry.sdk.trace.export",
    "opentelemetry.exporter.prometheus",
    "opentelemetry.instrumentation.django",
    "prometheus_client",
)
_LEAN = "bare, without OpenTelemetry's imports"
_REQUESTS = 2000


def _run(contender: str, *, preload: bool) -> Outcome:
    """Everybody but one imports OpenTelemetry, so that what it weighs stands apart."""
    if contender != _LEAN:
        for name in _IMPORTS:
            import_module(name)
    contenders.set_up(contenders.BARE if contender == _LEAN else contender)
    from django.core.handlers.wsgi import WSGIHandler

    if not preload:
        return Outcome(_work(WSGIHandler()))
    handler = WSGIHandler()  # the master has the application, and serves nothing
    told, tell = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(tell, str(_work(handler)).encode())
        os._exit(0)
    os.close(tell)
    price = float(os.read(told, 64))
    os.waitpid(pid, 0)
    return Outcome(price)


def _work(handler: object) -> float:
    """MiB that this process alone has, heap and mapped files, after its share of requests and queries."""
    from django.db import connection
    from django.test import RequestFactory

    for number in range(_REQUESTS):
        environ = RequestFactory().get(f"/{('plain', 'async', 'nowhere')[number % 3]}").environ
        response = handler(environ, lambda status, headers, exc_info=None: None)  # type: ignore[operator]
        response.close()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return sum(int(kib) for kib in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+)", rollup, re.MULTILINE)) / 1024


def _needs() -> str:
    return "" if Path("/proc/self/smaps_rollup").exists() else "there is no /proc/self/smaps_rollup"


SCENES = tuple(
    Scene(
        name=name,
        title=title,
        unit="MiB",
        contenders=(contenders.BARE, _LEAN, contenders.THEIRS_MULTI, contenders.OURS),
        run=partial(_run, preload=preload),
        budgets=(Budget(contenders.OURS, contenders.THEIRS_MULTI, 0.5, 0.3),),
        rounds=5,
        needs=_needs,
    )
    for name, title, preload in (
        ("memory", "Private memory of a worker after 2,000 requests and queries", False),
        ("memory-preload", "The same, of a worker forked from a master that had loaded the application", True),
    )
)
