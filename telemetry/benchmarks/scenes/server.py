"""Whole servers, started for real, under the load generator `wrk`: CPU time of the server's processes by request."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from telemetry.benchmarks import contenders
from telemetry.benchmarks.scene import Budget, Outcome, Scene
from telemetry.tests.servers.harness import Server, get, gunicorn, total, uvicorn

_CONNECTIONS = 4
_WARM, _SECONDS = 1, 3
_RESPONSES = "django_http_responses_total_by_status_view_method_total"


def _run(contender: str, *, start: Callable[..., AbstractContextManager[Server]], path: str) -> Outcome:
    environ = {name: value for name, value in os.environ.items() if name.startswith(("OTEL_", "TELEMETRY_"))}
    environ["BENCHMARK_CONTENDER"] = contender
    # Threads of a server that compete with `wrk` fall into one of two rhythms, by chance, of which one costs half as
    # much again. This process is the scene's own, and the server inherits it.
    usual = os.sched_getaffinity(0)
    first = {min(usual)}
    os.sched_setaffinity(0, usual - first or usual)
    with tempfile.TemporaryDirectory() as directory, start(Path(directory), env=environ) as server:
        url = f"http://127.0.0.1:{server.port}/{path}"
        # The port is open before the workers have loaded the application.
        status, _ = get(server.port, f"/{path}")
        warm = (status == 200) + _wrk(url, _WARM, first)
        pids = (server.process.pid, *server.children())
        before = sum(map(_cpu, pids))
        made = _wrk(url, _SECONDS, first)
        spent = sum(map(_cpu, pids)) - before
        _see_all_counted(contender, server, path, warm + made)
    return Outcome(spent / made * 1e6, also={"requests/s": made / _SECONDS})


def _wrk(url: str, seconds: int, processors: set[int]) -> int:
    """How many requests were answered, all with 200; the load is made on these processors."""
    command = ["wrk", "--threads", "1", "--connections", str(_CONNECTIONS), "--duration", f"{seconds}s", url]
    said = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 30,
        preexec_fn=partial(os.sched_setaffinity, 0, processors),
    ).stdout
    found = re.search(r"^\s*(\d+) requests in ", said, re.MULTILINE)
    if found is None or int(found[1]) == 0 or "Non-2xx" in said or "Socket errors" in said:
        raise AssertionError(said)
    return int(found[1])


def _cpu(pid: int) -> float:
    """CPU seconds of a process with all its threads, those that have ended too; to the nanosecond.

    The clock's number is made as Linux's clock_getcpuclockid(3) makes it.
    """
    return time.clock_gettime(~pid << 3 | 2)


def _see_all_counted(contender: str, server: Server, path: str, made: int) -> None:
    """Whoever counts over all processes has what `wrk` saw; more only by what was under way when it stopped."""
    if contender not in (contenders.THEIRS, contenders.THEIRS_MULTI, contenders.OURS, *contenders.OURS_TRACED.values()):
        return
    time.sleep(0.2)
    counted = total(server.scrape(), _RESPONSES, view=path, status="200")
    if not made <= counted <= made + 2 * _CONNECTIONS:
        raise AssertionError(f"{contender} counted {counted:.0f} of {made} requests")


def _needs() -> str:
    if shutil.which("wrk") is None:
        return "there is no wrk: apt-get install wrk"
    return "" if hasattr(os, "sched_setaffinity") else "this system binds no process to processors"


def _scene(name: str, title: str, theirs: str, start: Any, path: str) -> Scene:
    ten, stock = contenders.OURS_TRACED[0.1], contenders.STOCK[0.1]
    return Scene(
        name=f"server-{name}",
        title=title,
        unit="µs",
        contenders=(contenders.BARE, theirs, stock, contenders.OURS, ten, contenders.OURS_DISABLED),
        run=partial(_run, start=start, path=path),
        budgets=(Budget(contenders.OURS, theirs), Budget(ten, theirs), Budget(ten, stock)),
        free=(contenders.OURS_DISABLED,),
        rounds=5,
        seconds=_WARM + _SECONDS + 1.8,
        needs=_needs,
    )


_APP = "telemetry.benchmarks.served:application"


def _sync(directory: Path, *, env: dict[str, str]) -> AbstractContextManager[Server]:
    return gunicorn(directory, "--workers", "2", app=_APP, env=env)


def _threads(directory: Path, *, env: dict[str, str]) -> AbstractContextManager[Server]:
    return gunicorn(directory, "--workers", "2", "--threads", "2", app=_APP, env=env)


def _asgi(directory: Path, *, env: dict[str, str]) -> AbstractContextManager[Server]:
    return uvicorn(directory, "--no-access-log", app=_APP, env=env)


SCENES = (
    _scene("gunicorn-sync", "A request to gunicorn, two sync workers", contenders.THEIRS_MULTI, _sync, "plain"),
    _scene(
        "gunicorn-threads",
        "A request to gunicorn, two workers of two threads",
        contenders.THEIRS_MULTI,
        _threads,
        "plain",
    ),
    _scene("uvicorn", "A request to uvicorn, an async view, one process", contenders.THEIRS, _asgi, "async"),
)
