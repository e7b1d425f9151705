"""`PROMETHEUS_METRICS_EXPORT_PORT` under real servers: one process answers for all, and another when it dies."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from telemetry.tests.servers.harness import (
    BY_METHOD,
    CHECKOUT,
    Samples,
    Server,
    Traffic,
    free_port,
    get,
    gunicorn,
    parse,
    runserver,
    total,
    uvicorn,
)

MANAGE = "import sys; from django.core.management import execute_from_command_line as run; run(sys.argv)\n"


def settings(ports: str, **more: str) -> dict[str, str]:
    return {"DJANGO_SETTINGS_MODULE": "telemetry.tests.servers.listening", "PORTS": ports, **more}


def serve(kind: str, tmp_path: Path, env: dict[str, str]) -> AbstractContextManager[Server]:
    if kind == "uvicorn":
        return uvicorn(tmp_path, "--workers", "2", env=env)
    if kind == "runserver":
        (tmp_path / "manage.py").write_text(MANAGE)
        return runserver(tmp_path, tmp_path, env)
    return gunicorn(tmp_path, "--workers", "3", *(["--preload"] if kind == "preload" else []), env=env)


def scraped(port: int, seconds: float = 20) -> Samples:
    """The page on this port, as soon as somebody answers there."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            status, body = get(port, "/metrics", {"Host": "10.1.2.3"})
        except OSError:
            assert time.monotonic() < deadline, f"nobody answers on port {port} after {seconds} s"
            time.sleep(0.05)
        else:
            assert 200 == status
            return parse(body.decode())


def listeners(port: int, pids: list[int]) -> list[int]:
    """Which of these processes have the socket that listens on this port of 127.0.0.1 (proc_pid_net(5))."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    links = {f"socket:[{row[9]}]" for row in rows if row[1] == f"0100007F:{port:04X}" and row[3] == "0A"}
    return [pid for pid in pids if links & descriptors(pid)]


def descriptors(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(FileNotFoundError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found.add(str(descriptor.readlink()))
    return found


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def said(server: Server, text: str, seconds: float = 30) -> int:
    """How often the server has said this, once it has."""
    deadline = time.monotonic() + seconds
    while (times := server.log.read_text().count(text)) == 0:
        assert time.monotonic() < deadline, f"not said after {seconds} s: {text}"
        time.sleep(0.1)
    return times


class TestWorkers:
    @pytest.mark.parametrize(
        "kind",
        ["workers", "preload", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("uvicorn", "runserver"))],
    )
    def test_one_process_answers_for_all_and_a_scrape_is_no_request(self, kind: str, tmp_path: Path) -> None:
        port = free_port()
        with serve(kind, tmp_path, settings(str(port), HOSTS="127.0.0.1")) as server:
            assert 0 == total(scraped(port), BY_METHOD)
            traffic = Traffic(server.port).send(60)
            assert ({200: 60}, set()) == (traffic.statuses, traffic.errors)
            assert 60 == total(scraped(port), BY_METHOD)
            assert 60 == total(scraped(port), BY_METHOD)
            pids = [server.process.pid, *server.children()]
            assert 1 == len(listeners(port, pids))
            assert [] == listeners(port, [server.process.pid])

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["workers", "preload"])
    def test_another_takes_over_when_the_one_is_killed(self, kind: str, tmp_path: Path) -> None:
        port = free_port()
        with serve(kind, tmp_path, settings(str(port))) as server:
            sent = 0
            for _ in range(2):
                sent += 30
                Traffic(server.port).send(30)
                assert sent == total(scraped(port), BY_METHOD)
                (owner,) = listeners(port, server.children())
                os.kill(owner, signal.SIGKILL)
            assert sent == total(scraped(port), BY_METHOD)


@pytest.mark.slow
class TestRange:
    def test_two_services_share_a_range_one_port_each(self, tmp_path: Path) -> None:
        first, last = two_ports()
        env = settings(f"{first}-{last}")
        with gunicorn(tmp_path, "--workers", "2", env=env) as one:
            Traffic(one.port).send(10)
            assert 10 == total(scraped(first), BY_METHOD)
            (tmp_path / "two").mkdir()
            with gunicorn(tmp_path / "two", "--workers", "2", env=env) as two:
                Traffic(two.port).send(7)
                assert 7 == total(scraped(last), BY_METHOD)
                assert 10 == total(scraped(first), BY_METHOD)

    def test_the_ports_after_the_first_stay_closed(self, tmp_path: Path) -> None:
        first, last = two_ports()
        with gunicorn(tmp_path, "--workers", "3", env=settings(f"{first}-{last}")) as server:
            scraped(first)
            (owner,) = listeners(first, server.children())
            os.kill(owner, signal.SIGKILL)
            scraped(first)
            assert is_free(last)


@pytest.mark.slow
class TestTakenPort:
    def test_the_port_of_another_service_is_told_once_and_had_when_it_is_free(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with gunicorn(tmp_path, "--workers", "2", env=settings(str(port))) as server:
                text = f"the metrics are not served on port {port} of 127.0.0.1: Address already in use"
                assert 1 == said(server, text)
                other.close()
                scraped(port)
                assert 1 == said(server, text)


IMPATIENT = """
import sys, time
from telemetry.endpoint._election import Election
Election.settling = 0.0
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[1:]])
time.sleep(0.5)
import socket, os
with socket.socket() as probe:
    print("closed" if probe.connect_ex(("127.0.0.1", int(os.environ["PORTS"]))) else "open")
"""
CLIENT = "from django.test import Client; assert Client().get('/ok').status_code == 200"
SERVER = "from django.core.wsgi import get_wsgi_application; get_wsgi_application()"


class TestCommands:
    """The last shows that the first would have been seen to listen."""

    @pytest.mark.parametrize(
        ("command", "expected"),
        [
            (("migrate", "-v0"), "closed"),
            (("check",), "closed"),
            (("shell", "-c", CLIENT), "closed"),
            (("shell", "-c", SERVER), "open"),
        ],
        ids=["migrate", "check", "shell", "server"],
    )
    def test_only_a_server_listens(self, command: tuple[str, ...], expected: str, tmp_path: Path) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "OTEL_"))}
        env |= settings(str(free_port())) | {"PYTHONPATH": str(CHECKOUT), "TELEMETRY_STORE_DIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", IMPATIENT, *command], env=env, capture_output=True, text=True, check=True
        )
        assert expected == done.stdout.split()[-1], done.stderr


FORK = """
import os, sys, time
from telemetry.endpoint._election import Election
Election.settling, late = float(sys.argv[1]), sys.argv[2] == "late"
Election.pause = 0.1
import django; django.setup()
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
from telemetry.endpoint import _configured
while late and not _configured.port:
    time.sleep(0.05)
child = os.fork()
if not child:
    if late:
        print(os.getpid(), flush=True)
        sys.stdin.read(1)
    os._exit(0)
if not late:
    os.waitpid(child, 0)
    print("master" if _configured._master else "no master", flush=True)
    from django.test import RequestFactory
    application(RequestFactory().get("/ok").environ, lambda *_: None)
sys.stdin.read(1)
"""


@contextlib.contextmanager
def forking(tmp_path: Path, port: int, settling: str, when: str) -> Iterator[subprocess.Popen[str]]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "OTEL_"))}
    env |= settings(str(port)) | {"PYTHONPATH": str(CHECKOUT), "TELEMETRY_STORE_DIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", FORK, settling, when], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.communicate()


class TestFork:
    def test_a_child_has_nothing_of_what_its_parent_listens_with(self, tmp_path: Path) -> None:
        port = free_port()
        with forking(tmp_path, port, "0", "late") as process:
            assert process.stdout
            child = int(process.stdout.readline())
            assert [process.pid] == listeners(port, [process.pid, child])
            claim = str(tmp_path / "endpoint")
            assert (True, False) == (claim in descriptors(process.pid), claim in descriptors(child))

    def test_a_process_that_forks_at_once_listens_when_it_serves_itself(self, tmp_path: Path) -> None:
        port = free_port()
        with forking(tmp_path, port, "1", "early") as process:
            assert process.stdout
            assert "master\n" == process.stdout.readline()
            scraped(port)


def two_ports() -> tuple[int, int]:
    """Two neighbours that were free a moment ago."""
    while True:
        first = free_port()
        if first < 65_535 and is_free(first + 1):
            return first, first + 1
