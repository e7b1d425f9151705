"""A PostgreSQL server for tests: a fresh cluster on a free loopback port, stopped by process id."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from telemetry.tests.servers.harness import free_port

INSTALL = "apt-get install --no-install-recommends postgresql"
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_preload_libraries": "pg_stat_statements",
    # Django asks for UTC on each connection to a server that keeps another time.
    "timezone": "Europe/Paris",
    "log_line_prefix": "%d ",
    "log_connections": "on",
    # The data lives as long as the tests do.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


class Unavailable(Exception):
    """No server can be had here; the message says why."""


@dataclass
class Postgres:
    """A running server; `log` is what it said."""

    process: subprocess.Popen[bytes]
    port: int
    password: str
    log: Path

    def url(self, database: str) -> str:
        return f"postgres://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def ask(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """The rows that a statement gives, past Django and in a database of its own."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            cursor = connection.execute(sql, params or None)
            return cursor.fetchall() if cursor.description else []

    def statements(self, database: str) -> Counter[str]:
        """What the server executed without an error in a database: each statement's normalized text, how often."""
        rows = self.ask(
            "SELECT query, calls FROM pg_stat_statements JOIN pg_database ON oid = dbid WHERE datname = %s", database
        )
        counts: Counter[str] = Counter()
        for query, calls in rows:
            counts[query] += calls
        return counts

    def errors(self, database: str) -> list[str]:
        """The statements that failed in a database, as the server logged them."""
        return self._logged(database, "STATEMENT:  ")

    def sessions(self, database: str) -> int:
        """How many connections to a database the server has let in."""
        return len(self._logged(database, "LOG:  connection authorized: "))

    def _logged(self, database: str, what: str) -> list[str]:
        begin = f"{database} {what}"
        return [line.removeprefix(begin) for line in self.log.read_text().splitlines() if line.startswith(begin)]


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server that runs as long as the block does.

    Raises:
        Unavailable: it is not installed, or did not start.
    """
    binaries, unprivileged = _binaries(), _unprivileged()
    directory = Path(tempfile.mkdtemp(prefix="postgres-"))
    password = secrets.token_urlsafe()
    secret, log, data = directory / "password", directory / "log", directory / "data"
    secret.write_text(password)
    try:
        if unprivileged:
            for path in (directory, secret):
                shutil.chown(path, "nobody")
        initdb = (binaries / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={secret}")
        _run(*unprivileged, *initdb, "--no-sync", "--encoding=UTF8", "--locale=C", cwd=directory)
        port = free_port()
        options = [f"-c{name}={value}" for name, value in _OPTIONS.items()]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*unprivileged, binaries / "postgres", "-D", data, "-p", str(port), *options],
                cwd=directory,
                stdout=output,
                stderr=output,
            )
        server = Postgres(process, port, password, log)
        try:
            _await(server)
            server.ask("CREATE EXTENSION pg_stat_statements")
            yield server
        finally:
            # A fast shutdown: whoever is still connected is cut off.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)
    finally:
        shutil.rmtree(directory)


def _binaries() -> Path:
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: float(path.parent.name))
    in_path = shutil.which("initdb")
    if in_path is None:
        raise Unavailable(f"no PostgreSQL server is installed; on Debian: {INSTALL}")
    return Path(in_path).resolve().parent


def _unprivileged() -> tuple[str, ...]:
    """What makes a command run as somebody else than root, which the server refuses."""
    return ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups") if os.getuid() == 0 else ()


def _run(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{command} failed: {done.stderr}")


def _await(server: Postgres) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            server.ask("SELECT 1")
            return
        except psycopg.OperationalError as error:
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"the server does not answer: {server.log.read_text()[-2000:]}") from error
        time.sleep(0.05)
