"""The service as it is run: web workers under gunicorn, a Celery worker apart from them, one store for both."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from telemetry.tests.servers.harness import CHECKOUT, Samples, Server, gunicorn

CUSTOMER = "mercy"
SETTINGS = "upstream.tests.pausing.settings"

_PRELUDE = """
import datetime, django, json, sys
django.setup()
from upstream import alerts, detection, ingestion, jobs, quality, reports
from upstream.models import *
customer = Customer.objects.filter(code={customer!r}).first()
def tell(what): print(json.dumps(what, default=str))
"""


class Service:
    """A running service on an empty, migrated database; everything that it keeps is below `directory`."""

    def __init__(self, directory: Path, environ: Mapping[str, str], web: Server) -> None:
        self.directory = directory
        self.web = web
        self._environ = dict(environ)

    def run(self, code: str, **values: object) -> Any:
        """What `tell(…)` told in a process of its own that runs `code`; `values` are its variables."""
        setting = "".join(f"{name} = {value!r}\n" for name, value in values.items())
        done = subprocess.run(
            [sys.executable, "-c", _PRELUDE.format(customer=CUSTOMER) + setting + code],
            cwd=CHECKOUT, env=self._environ, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout) if done.stdout else None

    def manage(self, *command: str) -> str:
        """What a command of `manage.py` says."""
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=CHECKOUT, env=self._environ, capture_output=True, text=True, timeout=300, check=True,
        ).stdout  # fmt: skip

    @contextlib.contextmanager
    def worker(self, concurrency: int = 2, **environ: str) -> Iterator[Worker]:
        """A Celery worker with its schedule, until the block ends."""
        worker = Worker(self.directory / "worker.log", {**self._environ, **environ}, concurrency)
        try:
            yield worker
        finally:
            worker.stop()

    def scrape(self) -> Samples:
        """Every sample of `/metrics`, as a web worker shows it."""
        return self.web.scrape()


class Worker:
    """A worker process, in a process group of its own with its pool."""

    def __init__(self, log: Path, environ: Mapping[str, str], concurrency: int) -> None:
        self._log = log
        command = [
            *(sys.executable, "-m", "celery", "-A", "upstream", "worker", "--beat", "--loglevel=INFO"),
            *(f"--concurrency={concurrency}", "--without-gossip", "--without-mingle", "--without-heartbeat"),
        ]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=CHECKOUT, env=dict(environ), stdout=output, stderr=output, start_new_session=True
            )

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL to all of it at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)

    def stop(self) -> None:
        """SIGTERM, upon which it ends what it has begun."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


def wait_until(happened: Callable[[], Any], told: Callable[[], object], seconds: float = 60) -> Any:
    """The first true answer of `happened`, asked again and again; `told` says what there is to say where none comes."""
    deadline = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {told()}"
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def service(directory: Path, database_url: str | None = None, **environ: str) -> Iterator[Service]:
    """The service with one web worker, on SQLite unless a `DATABASE_URL` is given; no worker yet."""
    url = database_url or f"sqlite:///{urllib.parse.quote(str(directory / 'upstream.sqlite3'))}"
    own = {
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "DATABASE_URL": url,
        "UPSTREAM_VAR_DIR": str(directory / "var"),
        "UPSTREAM_SWEEP_SECONDS": "0.5",
        "UPSTREAM_JOB_LEASE_SECONDS": "2",
        "UPSTREAM_RESEND_SECONDS": "5",
        "UPSTREAM_RETRY_SECONDS": "0.5",
        "TELEMETRY_STORE_DIR": str(directory / "store"),
        **environ,
    }
    everything = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "PYTEST_", "TELEMETRY_", "DJANGO_", "UPSTREAM_"))
    } | own
    apart = {**everything, "TELEMETRY_STORE_DIR": str(directory / "commands")}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], cwd=CHECKOUT, env=apart, check=True)
    with gunicorn(directory, "--workers=1", "--threads=4", app="hello_world.wsgi", env=own) as web:
        yield Service(directory, everything, web)
