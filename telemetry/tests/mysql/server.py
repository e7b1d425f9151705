"""A MariaDB server for tests: fresh data, on a socket in a directory of its own, stopped by process id."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql  # type: ignore[import-untyped]

INSTALL = "apt-get install --no-install-recommends mariadb-server-core"


class Unavailable(Exception):
    """No server can be had here; the message says why."""


@contextmanager
def mariadb() -> Iterator[Path]:
    """A server with two empty databases, `shop` and `store`, that runs as long as the block does; its socket.

    Raises:
        Unavailable: it is not installed, or did not start.
    """
    found = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")  # where Debian has it
    if found is None:
        raise Unavailable(f"no MariaDB server is installed; on Debian: {INSTALL}")
    binary = Path(found).resolve()
    directory = Path(tempfile.mkdtemp(prefix="mariadb-"))
    data, path, log = directory / "data", directory / "socket", directory / "log"
    data.mkdir()
    command = [str(binary), "--no-defaults", f"--datadir={data}"]
    try:
        if os.getuid() == 0:
            for owned in (directory, data):
                shutil.chown(owned, "nobody")
            command.append("--user=nobody")
        # not by mariadb-install-db, which needs a program of the client's package
        done = subprocess.run([*command, "--bootstrap"], input=_system_tables(binary), capture_output=True, check=False)
        if done.returncode != 0:
            raise Unavailable(f"{command} failed: {done.stderr.decode(errors='replace')[-2000:]}")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--skip-networking", f"--socket={path}"], stdout=output, stderr=output
            )
        try:
            _await(process, path, log)
            yield path
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)
    finally:
        shutil.rmtree(directory)


def _system_tables(binary: Path) -> bytes:
    """What makes the server's own tables, with a root user who needs no password."""
    for name in ("mariadb", "mysql"):  # before 11.0 it was the latter
        share = binary.parents[1] / "share" / name
        files = [share / f"{name}_{part}.sql" for part in ("system_tables", "performance_tables", "system_tables_data")]
        if all(file.exists() for file in files):
            begin = b"CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
            return begin + b"".join(file.read_bytes() for file in files)
    raise Unavailable(f"the SQL files of {binary} are not found; on Debian: {INSTALL}")


def _await(process: subprocess.Popen[bytes], path: Path, log: Path) -> None:
    deadline = time.monotonic() + 30
    while not _answers(path):
        if process.poll() is not None or time.monotonic() > deadline:
            raise Unavailable(f"the server does not answer: {log.read_text()[-2000:]}")
        time.sleep(0.05)
    with pymysql.connect(unix_socket=str(path), user="root") as connection, connection.cursor() as cursor:
        for name in ("shop", "store"):
            cursor.execute(f"CREATE DATABASE {name}")


def _answers(path: Path) -> bool:
    # not by PyMySQL, which leaves a socket open that finds nobody
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
