"""The interpreter and the processes: prometheus_client's default families, for all processes of a service."""

from __future__ import annotations

from telemetry.spec import Family, FamilyType, Kind, Layout, Projection, Source

GC = Layout("process.gc", Kind.SUM, ("count", "generation"))
"""One garbage collector's running totals; `count` is a key of `gc.get_stats()`."""

CPU = Layout("process.cpu", Kind.SUM)
"""CPU seconds of one process as it last published them: what remains of it when it is gone."""

CPU_TOTAL = Layout("process.cpu_total", Kind.MAX)
"""The largest total of CPU seconds shown so far: the total never falls when a process dies."""


def _gc(name: str, text: str, count: str) -> Projection:
    source = Source(GC, where={"count": frozenset({count})})
    return Projection(Family(name, FamilyType.COUNTER, text, ("generation",)), (source,))


PROJECTIONS = (
    _gc("python_gc_objects_collected_total", "Objects collected during gc", "collected"),
    _gc("python_gc_objects_uncollectable_total", "Uncollectable objects found during GC", "uncollectable"),
    _gc("python_gc_collections_total", "Number of times this generation was collected", "collections"),
)

PYTHON_INFO = Family(
    "python_info",
    FamilyType.GAUGE,
    "Python platform information",
    ("version", "implementation", "major", "minor", "patchlevel"),
)

VIRTUAL_MEMORY = Family("process_virtual_memory_bytes", FamilyType.GAUGE, "Virtual memory size in bytes.")
RESIDENT_MEMORY = Family("process_resident_memory_bytes", FamilyType.GAUGE, "Resident memory size in bytes.")
START_TIME = Family(
    "process_start_time_seconds", FamilyType.GAUGE, "Start time of the process since unix epoch in seconds."
)
CPU_SECONDS = Family(
    "process_cpu_seconds_total", FamilyType.COUNTER, "Total user and system CPU time spent in seconds."
)
OPEN_FDS = Family("process_open_fds", FamilyType.GAUGE, "Number of open file descriptors.")
MAX_FDS = Family("process_max_fds", FamilyType.GAUGE, "Maximum number of open file descriptors.")
