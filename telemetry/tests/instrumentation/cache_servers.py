"""A redis-server and a memcached for tests: on free loopback ports, stopped by process id."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from telemetry.tests.servers.harness import free_port

_COMMANDS = {
    "redis-server": ("--save", "", "--bind", "127.0.0.1", "--port"),
    "memcached": ("-l", "127.0.0.1", "-p"),
}


@dataclass
class CacheServer:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(20)


def missing(name: str) -> str:
    """Why there can be no such server here; empty where there can."""
    if shutil.which(name) is not None:
        return ""
    return f"{name} is not installed; on Debian: apt-get install --no-install-recommends {name}"


@contextlib.contextmanager
def cache_server(name: str, port: int = 0) -> Iterator[CacheServer]:
    """`redis-server` or `memcached`, as long as the block runs; the test is skipped where it is not installed."""
    if missing(name):
        pytest.skip(missing(name))
    port = port or free_port()
    command = [name, *_COMMANDS[name], str(port)]
    if name == "memcached" and os.getuid() == 0:
        command += ["-u", "nobody"]
    directory = tempfile.mkdtemp(prefix="cache-server-")
    server = CacheServer(
        subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), port
    )
    try:
        _await(server, name)
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)


def _await(server: CacheServer, name: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
            return
        except OSError as error:
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{name} did not start on {server.address}") from error
        time.sleep(0.02)
