"""Writers on one store, killed at random while pausing between every two file operations; prints what was seen.

Every thread of a writer notes, in memory it shares with this process, each measurement before it makes it and after.
So a total that is read must lie between what was made before the read and what was begun by its end.

    python -m telemetry.tests.store.simulation DIRECTORY SECONDS SEED [flock]
"""

from __future__ import annotations

import json
import mmap
import os
import pathlib
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from telemetry.spec import Kind, Layout
from telemetry.store import _locks, open_store

COUNTER = Layout("counter", Kind.SUM, ("n",))
TIMES = Layout("times", Kind.HISTOGRAM, (), (1.0, 2.0), min_max=True, exemplars=True)
IN_FLIGHT = Layout("in_flight", Kind.UPDOWN)
WRITERS = 5
THREADS = 3
MAX_SEEN = 4000


def pausing(function: Callable[..., Any], chance: float, longest: float) -> Callable[..., Any]:
    """The same function with a pause before and after it now and then: room for the kill, and for others."""

    def slow(*args: Any, **kwargs: Any) -> Any:
        if random.random() < chance:
            time.sleep(random.random() * longest)
        result = function(*args, **kwargs)
        if random.random() < chance:
            time.sleep(random.random() * longest)
        return result

    return slow


def slow_files(chance: float = 0.5, longest: float = 0.003) -> None:
    """Let every operation that the store makes on files pause."""
    for name in ("open", "close", "pread", "posix_fallocate", "scandir", "fstat"):
        setattr(os, name, pausing(getattr(os, name), chance, longest))
    for name in ("rename", "unlink", "write_bytes"):
        setattr(pathlib.Path, name, pausing(getattr(pathlib.Path, name), chance, longest))


def write(directory: str, notes: memoryview, place: int, seed: int) -> None:
    """A worker: record for ever, or for a random while."""
    random.seed(seed)
    slow_files()
    store = open_store((), directory)
    counter, times, in_flight = store.table(COUNTER), store.table(TIMES), store.table(IN_FLIGHT)
    in_flight.add((), 1)
    ends = time.monotonic() + random.random() * 2

    def record(note: int) -> None:
        turn = 0
        while time.monotonic() < ends:
            notes[note] += 1
            counter.add((str(turn % 60),))
            times.observe((), random.choice((0.5, 1.5, 2.5)))
            notes[note + 1] += 1
            turn += 1
            if turn % 50 == 0:
                time.sleep(random.random() * 0.005)

    first = 2 * THREADS * place
    others = [threading.Thread(target=record, args=(first + 2 * n,)) for n in range(1, THREADS)]
    for thread in others:
        thread.start()
    record(first)
    for thread in others:
        thread.join()
    os._exit(0)


def start(directory: str, notes: memoryview, place: int) -> int:
    seed = random.getrandbits(32)
    pid = os.fork()
    if pid == 0:
        try:
            write(directory, notes, place, seed)
        finally:
            os._exit(1)
    return pid


def total(reading: Any, name: str) -> float:
    table = reading.tables.get(name)
    if table is None:
        return 0.0
    # the counts of a histogram, not its sum nor its extremes
    cells = slice(0, 3) if name == "times" else slice(0, 1)
    return sum(sum(values[cells]) for values in table.series().values())


def simulate(directory: str, seconds: float, seed: int) -> dict[str, Any]:
    random.seed(seed)
    notes = memoryview(mmap.mmap(-1, 16 * THREADS * MAX_SEEN)).cast("Q")
    reader = open_store((), directory)
    seen: dict[str, Any] = {
        "kills": 0, "scrapes": 0, "falls": 0, "short": 0, "over": 0, "corrupt": 0, "conflicts": 0, "ended": 0,
        "most_files": 0, "generations": [],
    }  # fmt: skip
    last = {"counter": 0.0, "times": 0.0}
    living: list[int] = []
    place = 0
    ends = time.monotonic() + seconds

    def scrape() -> Any:
        made = sum(notes[1 : 2 * THREADS * place : 2])
        reading = reader.read()
        begun = sum(notes[0 : 2 * THREADS * place : 2])
        for name in last:
            now = total(reading, name)
            seen["falls"] += now < last[name]
            seen["short"] += now < made
            seen["over"] += now > begun
            last[name] = now
        seen["scrapes"] += 1
        seen["corrupt"] += reading.corrupt
        seen["conflicts"] += reading.conflicts
        if reading.generation not in seen["generations"]:
            seen["generations"].append(reading.generation)
        return reading

    while time.monotonic() < ends and place < MAX_SEEN:
        while len(living) < WRITERS:
            living.append(start(directory, notes, place))
            place += 1
        time.sleep(random.random() * 0.03)
        if random.random() < 0.7:
            os.kill(random.choice(living), signal.SIGKILL)
            seen["kills"] += 1
        for pid in list(living):
            if os.waitpid(pid, os.WNOHANG)[0]:
                living.remove(pid)
                seen["ended"] += 1
        scrape()
        seen["most_files"] = max(seen["most_files"], len(os.listdir(directory)))
    for pid in living:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    seen["in_flight"] = total(scrape(), "in_flight")
    # a survivor folds the rest
    reader.table(IN_FLIGHT).add((), 0)
    seen["files_at_the_end"] = sorted(os.listdir(directory))
    scrape()
    seen["counter"], seen["times"] = last["counter"], last["times"]
    seen["made"], seen["begun"] = sum(notes[1 : 2 * THREADS * place : 2]), sum(notes[0 : 2 * THREADS * place : 2])
    seen["writers"] = place
    return seen


if __name__ == "__main__":
    if sys.argv[4:] == ["flock"]:
        _locks.OPEN_FILE_LOCKS = False
    print(json.dumps(simulate(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))))
