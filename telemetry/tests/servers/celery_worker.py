"""Real Celery workers for tests, with a Redis and a site of their own: stopped by process id."""

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

from telemetry.tests.instrumentation.cache_servers import cache_server
from telemetry.tests.servers.harness import CHECKOUT, Samples, Server, get, gunicorn, total

TASKS = "telemetry.tests.servers.celery_tasks"
SETTINGS = "telemetry.tests.servers.celery_settings"
SENT, STARTED = "telemetry_task_sent_total", "telemetry_task_started_total"
ENDED = tuple(
    f"telemetry_task_{outcome}_total" for outcome in ("succeeded", "failed", "retried", "ignored", "rejected")
)
LOST, IN_FLIGHT = "telemetry_task_lost_total", "telemetry_tasks_in_flight"
_QUICK = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=INFO")


@dataclass
class Worker:
    """A running worker, the site that sends it tasks, and what both share."""

    process: subprocess.Popen[bytes]
    site: Server
    broker: redis.Redis
    written: Path
    output: Path

    def send(self, task: str, times: int = 1, **options: float) -> None:
        """Have the site send tasks."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        assert 200 == get(self.site.port, f"/send/{task}/{times}?{query}")[0]

    def children(self) -> list[int]:
        """The processes of its pool."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def log(self) -> list[tuple[str, int]]:
        """What the tasks have written, and in which process."""
        lines = self.written.read_text().splitlines()
        return [(word, int(pid)) for word, _, pid in (line.rpartition(" ") for line in lines)]

    def begun(self) -> int:
        """How many runs say that they have begun."""
        return [word for word, _ in self.log()].count("begun")

    def states(self) -> Counter[str]:
        """The last states of all tasks that Celery has kept a result of."""
        found: list[Any] = [self.broker.get(key) for key in self.broker.scan_iter("celery-task-meta-*")]
        return Counter(json.loads(result)["status"] for result in found)

    def wait(self, until: Callable[[Samples], bool], seconds: float = 20) -> Samples:
        """The first page of the site for which this holds."""
        deadline = time.monotonic() + seconds
        while not until(samples := self.site.scrape()):
            if time.monotonic() > deadline:
                page = sorted(
                    f"{name} {dict(labels)} {value}" for (name, labels), value in samples.items() if "_task" in name
                )
                raise AssertionError(
                    f"not within {seconds:g} s:\n{chr(10).join(page)}\n{self.output.read_text()[-8000:]}"
                )
            time.sleep(0.05)
        return samples

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Warmly, by default: it waits for the runs that are under way."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                for pid in self.children():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                self.process.kill()
                self.process.wait(20)


def ended(samples: Samples) -> float:
    """The runs that have ended by themselves."""
    return sum(total(samples, name) for name in ENDED)


def settled(samples: Samples, runs: float) -> bool:
    """Whether so many runs have been started, and all have ended or are lost."""
    return runs == total(samples, STARTED) == ended(samples) + total(samples, LOST) and not total(samples, IN_FLIGHT)


@contextlib.contextmanager
def worker(tmp_path: Path, *options: str, env: Mapping[str, str] | None = None) -> Iterator[Worker]:
    """A worker with these command-line options, and a gunicorn that shares its store."""
    written, output = tmp_path / "tasks.log", tmp_path / "worker.log"
    written.touch()
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(cache_server("redis-server")).address
        environ = {
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "CELERY_BROKER": f"redis://{address}/0",
            "CELERY_LOG": str(written),
            "TEST_DATABASE": str(tmp_path / "tasks.sqlite3"),
            **(env or {}),
        }
        site = stack.enter_context(gunicorn(tmp_path, "--workers", "2", env=environ))
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OTEL_", "PYTEST_", "TELEMETRY_", "DJANGO_"))
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", TASKS, "worker", *_QUICK, *options],
            cwd=CHECKOUT,
            env={**kept, "PYTHONPATH": str(CHECKOUT), "TELEMETRY_STORE_DIR": str(site.store), **environ},
            stdout=stack.enter_context(output.open("ab")),
            stderr=subprocess.STDOUT,
        )
        broker = stack.enter_context(redis.Redis.from_url(environ["CELERY_BROKER"]))
        found = Worker(process, site, broker, written, output)
        stack.callback(found.stop)
        _wait_for_start(found)
        yield found


def _wait_for_start(worker: Worker, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while " ready." not in worker.output.read_text():
        assert worker.process.poll() is None and time.monotonic() < deadline, worker.output.read_text()
        time.sleep(0.05)
