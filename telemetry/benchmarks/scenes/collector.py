"""Requests while the collector is well, away or ill: the clock's time, for what counts is whether anybody waits."""

from __future__ import annotations

import gc
import os
import statistics
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from telemetry.benchmarks import contenders
from telemetry.benchmarks.receiver import beside
from telemetry.benchmarks.scene import Budget, Outcome, Scene

_REQUESTS = 20_000
_NONE, _UP = "no exporter", "collector up"
_FAULTS = ("away", "503", "hanging", "closing")
_HANG = 10.0
"""Seconds after which exporters give up by themselves."""
_KEPT = 2048 + 512
"""Spans that a process keeps of those that it cannot send: waiting, and in the batch under way."""


def _run(contender: str, *, protocol: str) -> Outcome:
    if contender == _NONE:
        return _measured(contender)
    with beside(protocol, "" if contender == _UP else contender) as (environ, taken):
        os.environ.update(environ)
        outcome = _measured(contender)
        if (taken() > 0) != (contender == _UP):
            raise AssertionError(f"{contender}: the collector is not as it should be")
        if contender != _UP and outcome.also["lost"] < _REQUESTS - _KEPT:
            raise AssertionError(f"{contender}: more is kept than there is room for, or not counted")
    return outcome


def _measured(contender: str) -> Outcome:
    """The median in µs; the 99th percentile, the longest, and the memory that the process has afterwards."""
    contenders.set_up(contenders.OURS)
    from django import db
    from django.core.handlers.wsgi import WSGIHandler
    from django.core.signals import request_finished, request_started
    from django.test import RequestFactory

    request_started.disconnect(db.close_old_connections)
    request_finished.disconnect(db.close_old_connections)
    handler: Any = WSGIHandler()
    environ = RequestFactory().get("/plain").environ

    def serve() -> float:
        start = perf_counter()
        response = handler(dict(environ), lambda status, headers, exc_info=None, /: None)
        b"".join(response)
        response.close()
        return perf_counter() - start

    gc.collect()
    took = [serve() for _ in range(_REQUESTS)]
    longest = max(took)
    if longest > _HANG / 2:
        raise AssertionError(f"{contender}: a request took {longest:.1f} s")
    names = {"ours": "django_http_responses_total_by_status_view_method_total"}
    facts = {"requests": contenders.counted(contenders.OURS, names)}
    also = {
        "99 of 100": statistics.quantiles(took, n=100)[98] * 1e6,
        "longest": longest * 1e6,
        "MiB": _resident(),
        "lost": _lost(),
    }
    return Outcome(statistics.median(took) * 1e6, facts, also)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _lost() -> float:
    return contenders.counted(contenders.OURS, {"ours": "telemetry_export_lost_total"})


SCENES = tuple(
    Scene(
        name=f"collector-{name}",
        title=f"A request while the collector, by {protocol}, is",
        unit="µs",
        contenders=(_NONE, _UP, *_FAULTS),
        run=partial(_run, protocol=protocol),
        budgets=tuple(Budget(fault, _UP, 1.25, 1.0) for fault in _FAULTS),
        whole=True,
        rounds=3,
        seconds=8,
        needs=lambda: "" if Path("/proc/self/statm").exists() else "there is no /proc/self/statm",
    )
    for name, protocol in (("grpc", "grpc"), ("http", "http/protobuf"))
)
