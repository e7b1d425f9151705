"""The processes that the demo starts: commands, the web workers, and the worker that does the jobs."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from upstream.demo.failure import DemoFailed

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
TIMEOUT = 600
"""Seconds that one request may take."""

Environ = dict[str, str]


def manage(environ: Environ, *arguments: str) -> None:
    """A command of `manage.py`, to its end."""
    done = subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environ, check=False)  # noqa: S603
    if done.returncode:
        raise DemoFailed(f"manage.py {arguments[0]} ended with status {done.returncode}")


def module(environ: Environ, name: str, *arguments: str) -> str:
    """What a module prints that is run as a program."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", name, *arguments], cwd=ROOT, env=environ, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise DemoFailed(f"{name} ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def web(environ: Environ, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """gunicorn with two workers."""
    command = ["gunicorn", "hello_world.wsgi", "--workers=2", f"--bind={HOST}:{port}", f"--timeout={TIMEOUT}"]
    with _running([*command, "--no-control-socket"], environ, log) as server:
        yield server


@contextmanager
def worker(environ: Environ, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A Celery worker with two processes and the schedule, over the embedded broker."""
    alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    command = ["celery", "-A", "upstream", "worker", "--beat", "--concurrency=2", "--loglevel=INFO", *alone]
    with _running(command, environ, log) as process:
        yield process


@contextmanager
def _running(command: list[str], environ: Environ, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        # A session of its own: Ctrl-C reaches the demo alone, which then stops this one child.
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", *command],
            cwd=ROOT, env=environ, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def need_free(port: int) -> None:
    """Raise where the port of 127.0.0.1 cannot be had."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise DemoFailed(
                f"PORT {port} on {HOST} cannot be had ({error.strerror}); give another: PORT=8001"
            ) from None


def tail(log: Path) -> str:
    """The end of a log."""
    return log.read_text(errors="replace")[-2000:]
