from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from telemetry.catalogue import process as catalogue
from telemetry.instrumentation.guard import Guard
from telemetry.instrumentation.process import ProcessInstrumentation
from telemetry.samples import ProcessInfo, Reading
from telemetry.store import MemoryStore
from telemetry.tests.instrumentation.replay import shown


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def process(store: MemoryStore) -> ProcessInstrumentation:
    return ProcessInstrumentation(store, Guard(store))


@pytest.fixture
def child() -> Iterator[int]:
    """A process that sleeps, with 30 open files and a limit of its own."""
    code = (
        "import resource, sys, time\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (99, 99))\n"
        "files = [open('/dev/null') for _ in range(30)]\n"
        "print(); sys.stdout.flush(); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        yield running.pid
        running.kill()


def start_ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def of(*processes: ProcessInfo) -> Reading:
    return Reading(1, 0.0, "id", {}, processes)


def values(process: ProcessInstrumentation, reading: Reading) -> dict[str, float]:
    """Each sample by name and labels."""
    return {
        line: value for family in shown(process.families(reading)).values() for line, value in family["samples"].items()
    }


class TestAgainstPrometheusClient:
    def test_the_same_families(self, store: MemoryStore, process: ProcessInstrumentation) -> None:
        registry = CollectorRegistry()
        PlatformCollector(registry), GCCollector(registry), ProcessCollector(registry=registry)
        theirs: dict[str, Any] = {}
        for family in registry.collect():
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = {frozenset(sample.labels.items()) for sample in family.samples}
            theirs[name] = (family.type, family.documentation, labels)
        process.publish()
        ours = {
            each.family.name: (
                each.family.type.value,
                each.family.help,
                {frozenset(labels) for labels, _ in each.series},
            )
            for each in process.families(store.read())
        }
        assert theirs == ours

    def test_the_same_values(self, store: MemoryStore, process: ProcessInstrumentation, child: int) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry, pid=lambda: child)
        theirs = {sample.name: sample.value for family in registry.collect() for sample in family.samples}
        ours = values(process, of(ProcessInfo(child, start_ticks(child), 1)))
        for name, value in theirs.items():
            assert value == ours[f"{name}{{}}"], name
        assert 99 == ours["process_max_fds{}"]


class TestLiving:
    def test_sums_and_least_values(self, process: ProcessInstrumentation, child: int) -> None:
        mine, other = ProcessInfo(os.getpid(), 0, 1), ProcessInfo(child, start_ticks(child), 2)
        alone, both = values(process, of(other)), values(process, of(mine, other, other))
        assert alone["process_resident_memory_bytes{}"] < both["process_resident_memory_bytes{}"]
        assert alone["process_open_fds{}"] == 33
        assert both["process_open_fds{}"] > 33
        assert both["process_max_fds{}"] == 99
        assert both["process_start_time_seconds{}"] < alone["process_start_time_seconds{}"]

    def test_a_pid_given_to_another_process_is_not_counted(self, process: ProcessInstrumentation, child: int) -> None:
        found = values(process, of(ProcessInfo(child, start_ticks(child) + 1, 1)))
        assert [] == [line for line in found if line.startswith("process_")]

    def test_a_process_that_is_gone_is_not_counted(self, process: ProcessInstrumentation, child: int) -> None:
        info = ProcessInfo(child, start_ticks(child), 1)
        os.kill(child, signal.SIGKILL)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        gone = ProcessInfo(2**22 + 1, 0, 2)
        found = values(process, of(info, gone, ProcessInfo(os.getpid(), 0, 3)))
        assert values(process, of(ProcessInfo(os.getpid(), 0, 3)))["process_max_fds{}"] == found["process_max_fds{}"]

    def test_no_proc(self, store: MemoryStore, tmp_path: Path) -> None:
        process = ProcessInstrumentation(store, Guard(store), proc=tmp_path)
        process.publish()
        names = {family.family.name for family in process.families(store.read())}
        assert {"python_info", *(each.family.name for each in catalogue.PROJECTIONS)} == names
        assert {} == store.read().tables["own.dropped"].living


class TestCpuSeconds:
    NAME = "process_cpu_seconds_total{}"

    def test_the_dead_count_as_they_last_published(
        self, store: MemoryStore, process: ProcessInstrumentation, child: int
    ) -> None:
        reading = store.read()
        reading.processes = (ProcessInfo(child, 0, 1),)
        alone = values(process, reading)[self.NAME]
        reading.tables[catalogue.CPU.name].gone[()] = [1000.0]
        assert alone + 1000 == values(process, reading)[self.NAME]

    def test_the_total_never_falls(self, store: MemoryStore, process: ProcessInstrumentation) -> None:
        reading = store.read()
        reading.tables[catalogue.CPU.name].gone[()] = [1000.0]
        before = values(process, reading)[self.NAME]
        assert before > 1000
        after = values(process, store.read())[self.NAME]
        assert before == after

    def test_a_process_publishes_its_own(self, store: MemoryStore, process: ProcessInstrumentation) -> None:
        process.publish()
        (first,) = store.read().tables[catalogue.CPU.name].living[()]
        sum(range(2_000_000))
        process.publish()
        (second,) = store.read().tables[catalogue.CPU.name].living[()]
        assert 0 < first < second


class TestGarbageCollection:
    @staticmethod
    def collections(store: MemoryStore) -> float:
        return store.read().tables[catalogue.GC.name].living[("collections", "2")][0]

    def test_totals_are_the_interpreters(self, store: MemoryStore, process: ProcessInstrumentation) -> None:
        gc.collect()
        process.publish()
        assert gc.get_stats()[2]["collections"] == self.collections(store)

    def test_a_forked_child_counts_from_its_fork(self, store: MemoryStore, process: ProcessInstrumentation) -> None:
        gc.collect()
        pid = os.fork()
        if pid == 0:
            try:
                gc.collect()
                process.publish()
                os._exit(int(self.collections(store)))
            finally:
                os._exit(255)
        assert 1 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_instances_can_be_forgotten(self, store: MemoryStore) -> None:
        import weakref

        process = ProcessInstrumentation(store, Guard(store))
        forgotten = weakref.ref(process)
        del process
        assert forgotten() is None
