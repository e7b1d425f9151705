"""Real Celery workers for tests, with a Redis of their own: stopped by process id."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from celery import Celery

from telemetry.catalogue.tasks import task_catalogue
from telemetry.projections import evaluate_all
from telemetry.samples import HistogramValue
from telemetry.store import open_store
from telemetry.tests.instrumentation.cache_servers import cache_server
from telemetry.tests.servers.harness import CHECKOUT, Samples, total

TASKS = "telemetry.tests.servers.celery_tasks"
SENT, STARTED = "telemetry_task_sent_total", "telemetry_task_started_total"
ENDED = tuple(
    f"telemetry_task_{outcome}_total" for outcome in ("succeeded", "failed", "retried", "ignored", "rejected")
)
LOST, IN_FLIGHT = "telemetry_task_lost_total", "telemetry_tasks_in_flight"
_QUICK = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=INFO")


@dataclass
class Place:
    """Where workers meet: the store, the broker, and the files that they write."""

    directory: Path
    broker: redis.Redis
    address: str
    app: Celery
    """Sends from this process, which keeps its own counts elsewhere."""

    @property
    def store(self) -> Path:
        return self.directory / "store"

    @property
    def environ(self) -> dict[str, str]:
        """What the site and the workers are told."""
        return {
            "DJANGO_SETTINGS_MODULE": "telemetry.tests.servers.celery_settings",
            "TELEMETRY_STORE_DIR": str(self.store),
            "CELERY_BROKER": self.address,
            "CELERY_LOG": str(self.directory / "tasks.log"),
            "TEST_DATABASE": str(self.directory / "tasks.sqlite3"),
        }

    def send(self, task: str, times: int = 1, arguments: tuple[Any, ...] = (), **options: Any) -> None:
        for _ in range(times):
            self.app.send_task(f"{TASKS}.{task}", arguments, **options)

    def samples(self) -> Samples:
        """Every sample of the tasks' families, over all processes; of a histogram its count."""
        found: Samples = {}
        reading = open_store((), self.store).read()
        for family in evaluate_all(task_catalogue().projections, reading):
            for labels, value in family.series:
                if isinstance(value, HistogramValue):
                    found[f"{family.family.name}_count", frozenset(labels)] = value.count
                else:
                    found[family.family.name, frozenset(labels)] = value
        return found

    def wait(self, until: Callable[[Samples], bool], seconds: float = 20) -> Samples:
        """The first samples for which this holds."""
        deadline = time.monotonic() + seconds
        while not until(samples := self.samples()):
            if time.monotonic() > deadline:
                shown = [f"{name} {dict(labels)} {value}" for (name, labels), value in samples.items() if value]
                logs = [path.read_text()[-4000:] for path in self.directory.glob("worker*.log")]
                raise AssertionError("\n".join([f"not within {seconds:g} s:", *sorted(shown), *logs]))
            time.sleep(0.03)
        return samples

    def log(self) -> list[tuple[str, int]]:
        """What the tasks have written, and in which process."""
        lines = (self.directory / "tasks.log").read_text().splitlines()
        return [(word, int(pid)) for word, _, pid in (line.rpartition(" ") for line in lines)]

    def begun(self) -> int:
        """How many runs say that they have begun."""
        return [word for word, _ in self.log()].count("begun")

    def states(self) -> Counter[str]:
        """The last states of all tasks that Celery has kept a result of."""
        found: list[Any] = [self.broker.get(key) for key in self.broker.scan_iter("celery-task-meta-*")]
        return Counter(json.loads(result)["status"] for result in found)


@dataclass
class Worker:
    """A running worker."""

    process: subprocess.Popen[bytes]

    def children(self) -> list[int]:
        """The processes of its pool."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """At once by default: the kernel ends the pool with it. By SIGTERM it ends when its runs have."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)


def ended(samples: Samples) -> float:
    """The runs that have ended by themselves."""
    return sum(total(samples, name) for name in ENDED)


def settled(samples: Samples, runs: float) -> bool:
    """Whether so many runs have been started, and all have ended or are lost."""
    return runs == total(samples, STARTED) == ended(samples) + total(samples, LOST) and not total(samples, IN_FLIGHT)


@contextlib.contextmanager
def place(tmp_path: Path) -> Iterator[Place]:
    """A place for workers below `tmp_path`."""
    (tmp_path / "tasks.log").touch()
    with cache_server("redis-server") as server:
        address = f"redis://{server.address}/0"
        with redis.Redis.from_url(address) as broker, Celery("client", set_as_current=False, broker=address) as app:
            yield Place(tmp_path, broker, address, app)


@contextlib.contextmanager
def worker(where: Place, *options: str, env: Mapping[str, str] | None = None) -> Iterator[Worker]:
    """A worker with these command-line options and this environment."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "PYTEST_", "TELEMETRY_", "DJANGO_"))
    }
    output = where.directory / f"worker{len(list(where.directory.glob('worker*.log')))}.log"
    with output.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", TASKS, "worker", *_QUICK, *options],
            cwd=CHECKOUT,
            env={**kept, "PYTHONPATH": str(CHECKOUT), **where.environ, **(env or {})},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    found = Worker(process)
    try:
        deadline = time.monotonic() + 30
        while " ready." not in output.read_text():
            assert process.poll() is None and time.monotonic() < deadline, output.read_text()
            time.sleep(0.03)
        yield found
    finally:
        found.stop()
