"""Processes for tests: forked, told what to do line by line, killed by their pid."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[3]

PRELUDE = """
import warnings
warnings.filterwarnings("ignore", message=".*multi-threaded", category=DeprecationWarning)  # it is what we test
import ctypes, json, os, signal, sys, threading, time
from telemetry.samples import Exemplar
from telemetry.spec import Kind, Layout
from telemetry.store import open_store
from telemetry.tests.store.processes import child, total
C = Layout("c", Kind.SUM, ("k",))
U = Layout("u", Kind.UPDOWN)
"""


def run(script: str, *arguments: object, status: int = 0) -> Any:
    """Run a script in a fresh interpreter, so that it may fork; what it prints last is JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(script), *map(str, arguments)],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout else None


def child(work: Callable[[], object], *, kill: bool = False) -> None:
    """Fork, do `work` in the child, and wait until it has ended, by SIGKILL if `kill`."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the child must not go on in the test
            print(f"child: {error!r}", file=sys.stderr)
            os._exit(1)
        if kill:
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(0)
    _, how = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(how) == (-signal.SIGKILL if kill else 0)


def total(reading: Any, name: str = "c") -> float:
    """The sum over all series of a record with one cell."""
    table = reading.tables.get(name)
    return sum(cells[0] for cells in table.series().values()) if table else 0.0
