"""The interpreter and the processes, true for all of them: prometheus_client's default families.

Of the living, /proc tells; of the dead, what they last published. Where there is no /proc, the
`process_*` families are absent, as with prometheus_client.
"""

from __future__ import annotations

import gc
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import process_time
from weakref import WeakMethod

from telemetry.catalogue import process as catalogue
from telemetry.instrumentation.guard import Guard
from telemetry.projections import evaluate_all
from telemetry.samples import FamilySamples, ProcessInfo, Reading
from telemetry.spec import Family
from telemetry.store import Store

_GC_COUNTS = ("collected", "uncollectable", "collections")


@dataclass(frozen=True, slots=True)
class _Process:
    """One living process: memory in bytes, times in seconds; None where the system did not tell."""

    virtual: float
    resident: float
    started: float
    cpu: float
    open_fds: float | None
    max_fds: float | None


class ProcessInstrumentation:
    """Publishes what only the process itself knows, and collects for all."""

    def __init__(self, store: Store, guard: Guard, *, proc: Path = Path("/proc")) -> None:
        self._guard = guard
        self._proc = proc
        self._gc = store.table(catalogue.GC)
        self._cpu = store.table(catalogue.CPU)
        self._cpu_total = store.table(catalogue.CPU_TOTAL)
        self._inherited: list[dict[str, int]] = []
        forked = WeakMethod(self._forked)
        os.register_at_fork(after_in_child=lambda: (method := forked()) and method())

    def publish(self) -> None:
        """Write this process's share of the totals: every few seconds, at a scrape, at the end. Never raises."""
        try:
            self._cpu.put((), process_time())
            for generation, counts in enumerate(_gc_stats()):
                before = self._inherited[generation] if self._inherited else {}
                for name in _GC_COUNTS:
                    self._gc.put((name, str(generation)), counts[name] - before.get(name, 0))
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("process.publish", exc)

    def families(self, reading: Reading) -> list[FamilySamples]:
        """Every family over one read; those that cannot be had are left out. Never raises."""
        try:
            found = [_python_info(), *evaluate_all(catalogue.PROJECTIONS, reading)]
            processes = list(self._living(reading.processes))
            if processes:
                found += self._process_families(processes, reading)
            return found
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("process.collect", exc)
            return []

    def _forked(self) -> None:
        # The interpreter's totals go on in the child; what was before the fork is the parent's.
        self._inherited = _gc_stats()

    def _process_families(self, processes: list[_Process], reading: Reading) -> list[FamilySamples]:
        open_fds = [process.open_fds for process in processes if process.open_fds is not None]
        max_fds = [process.max_fds for process in processes if process.max_fds is not None]
        families = [
            _alone(catalogue.VIRTUAL_MEMORY, sum(process.virtual for process in processes)),
            _alone(catalogue.RESIDENT_MEMORY, sum(process.resident for process in processes)),
            _alone(catalogue.START_TIME, min(process.started for process in processes)),
            _alone(catalogue.CPU_SECONDS, self._cpu_seconds(processes, reading)),
        ]
        if open_fds:
            families.append(_alone(catalogue.OPEN_FDS, sum(open_fds)))
        if max_fds:
            families.append(_alone(catalogue.MAX_FDS, min(max_fds)))
        return families

    def _cpu_seconds(self, processes: list[_Process], reading: Reading) -> float:
        """The living by /proc, the dead by their last word; never less than was shown before."""
        total = sum(process.cpu for process in processes)
        published, shown = reading.tables.get(catalogue.CPU.name), reading.tables.get(catalogue.CPU_TOTAL.name)
        if published is not None:
            total += sum(cells[0] for cells in published.gone.values())
        if shown is not None:
            total = max([total, *(cells[0] for cells in shown.series().values())])
        self._cpu_total.raise_to((), total)
        return total

    def _living(self, processes: tuple[ProcessInfo, ...]) -> Iterator[_Process]:
        for info in {info.pid: info for info in processes}.values():
            try:
                process = _read(self._proc, info)
            except (OSError, ValueError, IndexError):
                continue
            if process is not None:
                yield process


def _read(proc: Path, info: ProcessInfo) -> _Process | None:
    """What /proc tells of a process (proc_pid_stat(5)); None where it is dead or its pid is another's."""
    directory = proc / str(info.pid)
    fields = (directory / "stat").read_bytes().rpartition(b")")[2].split()
    if fields[0] == b"Z" or info.start_ticks not in (0, int(fields[19])):
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    return _Process(
        virtual=float(fields[20]),
        resident=float(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        started=float(fields[19]) / ticks + _boot_time(proc),
        cpu=(float(fields[11]) + float(fields[12])) / ticks,
        open_fds=_optional(lambda: float(len(os.listdir(directory / "fd")))),  # noqa: PTH208
        max_fds=_optional(lambda: _max_fds(directory / "limits")),
    )


def _gc_stats() -> list[dict[str, int]]:
    return gc.get_stats() if hasattr(gc, "get_stats") else []


def _python_info() -> FamilySamples:
    major, minor, patchlevel = platform.python_version_tuple()
    labels = {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "major": major,
        "minor": minor,
        "patchlevel": patchlevel,
    }
    return FamilySamples(catalogue.PYTHON_INFO, [(tuple(sorted(labels.items())), 1.0)])


def _alone(family: Family, value: float) -> FamilySamples:
    return FamilySamples(family, [((), float(value))])


def _optional(read: Callable[[], float]) -> float | None:
    try:
        return read()
    except (OSError, ValueError, IndexError):
        return None


def _max_fds(limits: Path) -> float:
    for line in limits.read_bytes().splitlines():
        if line.startswith(b"Max open file"):
            return float(line.split()[3])
    raise ValueError(f"{limits}: no line 'Max open files'")


@cache
def _boot_time(proc: Path) -> float:
    """Unix time of the boot in seconds."""
    for line in (proc / "stat").read_bytes().splitlines():
        if line.startswith(b"btime "):
            return float(line.split()[1])
    raise ValueError(f"{proc}/stat: no line 'btime'")
