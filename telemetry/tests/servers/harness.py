"""Real application servers for tests: started on free loopback ports, stopped by process id."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

CHECKOUT = Path(__file__).resolve().parents[3]
BY_METHOD = "django_http_requests_total_by_method_total"


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str, headers: Mapping[str, str] | None = None, timeout: float = 30) -> tuple[int, bytes]:
    """One GET on a connection of its own: status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parse(text: str) -> Samples:
    """Every sample of an exposition by name and labels; a sample that stands twice is an error."""
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in samples, f"{key} stands twice"
            samples[key] = sample.value
    return samples


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum over the samples of this name that carry these labels."""
    wanted = set(labels.items())
    return sum(value for (found, have), value in samples.items() if found == name and wanted <= have)


@dataclass
class Server:
    """A running application server."""

    process: subprocess.Popen[bytes]
    port: int
    store: Path
    log: Path

    def scrape(self) -> Samples:
        status, body = get(self.port, "/metrics")
        assert status == 200, body[:2000]
        return parse(body.decode())

    def children(self) -> list[int]:
        """The pids of the living workers."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def files(self) -> list[str]:
        """The files of the store."""
        return sorted(path.name for path in self.store.rglob("*") if path.is_file())

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)


@dataclass
class Traffic:
    """GET requests from several threads; what was answered, and what broke off."""

    port: int
    path: str = "/ok"
    answered: int = 0
    broken: int = 0
    errors: set[str] = field(default_factory=set)
    statuses: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def _one(self) -> None:
        try:
            status, _ = get(self.port, self.path)
        except (OSError, http.client.HTTPException) as error:
            with self._lock:
                self.broken += 1
                self.errors.add(repr(error))
            time.sleep(0.01)
            return
        with self._lock:
            self.answered += 1
            self.statuses[status] = self.statuses.get(status, 0) + 1

    def send(self, requests: int, threads: int = 8) -> Traffic:
        """Send exactly this many requests and wait for all."""
        share, rest = divmod(requests, threads)

        def work(count: int) -> None:
            for _ in range(count):
                self._one()

        workers = [threading.Thread(target=work, args=(share + (n < rest),)) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return self

    def wait_for(self, more: int, seconds: float = 60) -> None:
        """Until so many more requests have been answered."""
        wanted, deadline = self.answered + more, time.monotonic() + seconds
        while self.answered < wanted:
            assert time.monotonic() < deadline, f"{wanted - self.answered} answers are missing after {seconds} s"
            time.sleep(0.01)

    @contextlib.contextmanager
    def running(self, threads: int = 4) -> Iterator[Traffic]:
        """Requests without pause as long as the block runs."""

        def work() -> None:
            while not self._stop.is_set():
                self._one()

        self._threads = [threading.Thread(target=work) for _ in range(threads)]
        for worker in self._threads:
            worker.start()
        try:
            yield self
        finally:
            self._stop.set()
            for worker in self._threads:
                worker.join()


def _start(command: list[str], port: int, store: Path, log: Path, env: Mapping[str, str], cwd: Path) -> Server:
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "PYTEST_", "TELEMETRY_", "DJANGO_"))
    }
    environ.update(
        PYTHONPATH=str(CHECKOUT),
        DJANGO_SETTINGS_MODULE="telemetry.tests.project.settings",
        TELEMETRY_STORE_DIR=str(store),
        PYTHONUNBUFFERED="1",
    )
    environ.update(env)
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=cwd, env=environ, stdout=output, stderr=subprocess.STDOUT)
    server = Server(process, port, store, log)
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return server
        if process.poll() is not None or time.monotonic() > deadline:
            server.stop()
            raise AssertionError(f"the server did not start: {' '.join(command)}\n{log.read_text()[-4000:]}")
        time.sleep(0.05)


@contextlib.contextmanager
def gunicorn(
    tmp_path: Path,
    *options: str,
    app: str = "telemetry.tests.servers.app:application",
    cwd: Path = CHECKOUT,
    before: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """gunicorn with these command-line options, over a store directory below `tmp_path`."""
    port = free_port()
    command = [*before, sys.executable, "-m", "gunicorn", app, "--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    server = _start([*command, *options], port, tmp_path / "store", tmp_path / "server.log", env or {}, cwd)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def uvicorn(
    tmp_path: Path,
    *options: str,
    app: str = "telemetry.tests.servers.app:application",
    cwd: Path = CHECKOUT,
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """uvicorn with these command-line options, over a store directory below `tmp_path`."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", str(port)]
    environ = {"SERVE_ASGI": "1", **(env or {})}
    server = _start([*command, *options], port, tmp_path / "store", tmp_path / "server.log", environ, cwd)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def runserver(tmp_path: Path, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """`manage.py runserver` of the project in `cwd`, with its reloader."""
    port = free_port()
    command = [sys.executable, "manage.py", "runserver", f"127.0.0.1:{port}"]
    server = _start(command, port, tmp_path / "store", tmp_path / "server.log", env or {}, cwd)
    try:
        yield server
    finally:
        for child in server.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        server.stop()
