"""`python -m upstream.demo`: the whole service at work, from an empty database to alerts and metrics.

Environment: `PORT` (8000), `ROWS` (50000), `SEED` (1), `ONCE=1` to end without waiting for Ctrl-C.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
CUSTOMER = "demo"
UPLOAD_SECONDS = 600


class DemoFailed(Exception):
    """A step did not come out as it should; the message names the step."""


def main() -> int:
    """Run the demo; 0 when every step worked."""
    # Both, because a shell starts a background job with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        port, rows, seed = _number("PORT", 8000), _number("ROWS", 50_000), _number("SEED", 1)
        _run(port, rows, seed, once=os.environ.get("ONCE", "") not in ("", "0"))
    except DemoFailed as error:
        _say(f"\ndemo failed: {error}")
        return 1
    except (OSError, http.client.HTTPException) as error:
        _say(f"\ndemo failed: {type(error).__name__}: {error}")
        return 1
    except KeyboardInterrupt:
        _say("\ninterrupted")
        return 130
    return 0


def _run(port: int, rows: int, seed: int, *, once: bool) -> None:
    _need_free(port)
    # By port, so that two demos at once share neither database nor numbers.
    directory = ROOT / "var" / "demo" / str(port)
    directory.mkdir(parents=True, exist_ok=True)
    database, claims, log = directory / "upstream.sqlite3", directory / "claims.csv", directory / "gunicorn.log"
    for stale in directory.glob(f"{database.name}*"):
        stale.unlink()
    environ = {
        **os.environ,
        "OTEL_SERVICE_NAME": f"upstream-demo-{port}",
        "DJANGO_SETTINGS_MODULE": "upstream.settings.dev",
        "DATABASE_URL": f"sqlite:///{urllib.parse.quote(str(database))}",
        "UPSTREAM_UPLOAD_TOKEN": "",
        "PYTHONUNBUFFERED": "1",
    }
    _step(f"migrating SQLite ({database})")
    _manage(environ, "migrate", "--verbosity=0")
    _step(f"generating {rows:,} claims")
    _manage(environ, "generate_claims", f"--rows={rows}", f"--seed={seed}", f"--customer={CUSTOMER}",
            "--drift-payer=humana", "--register", f"--out={claims}")  # fmt: skip
    _step(f"starting gunicorn with 2 workers on http://{HOST}:{port}")
    with _gunicorn(environ, port, log) as server:
        _step(f"uploading {claims.name}, {claims.stat().st_size:,} bytes")
        batch = _upload(port, claims)
        scores = ", ".join(f"{name} {score:.3f}" for name, score in batch["scores"].items())
        _say(
            f"  batch {batch['batch']}: {batch['status']}, {batch['accepted']:,} of {batch['rows']:,} stored; {scores}"
        )
        _step("running detection")
        began = time.perf_counter()
        body = urllib.parse.urlencode({"customer": CUSTOMER}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        found = _json("detection", *_request(port, "POST", "/detection/run/", body, kind))
        _say(f"  {len(found['events'])} drift events in {time.perf_counter() - began:.1f} s")
        _step(f"alerts raised: {len(found['alerts'])}")
        for alert in found["alerts"]:
            _say(f"  [{alert['severity']}] {alert['title']} ({alert['status']})")
        if not found["alerts"]:
            raise DemoFailed(
                f"detection raised no alert, though one payer drifts; {rows:,} claims may be too few to tell: "
                "ROWS=5000 or more are enough"
            )
        _step(f"metrics (http://{HOST}:{port}/metrics)")
        _show_metrics(port)
        if once:
            return
        try:
            _step(f"up on http://{HOST}:{port}; Ctrl-C ends it")
            raise DemoFailed(f"gunicorn ended by itself with status {server.wait()}")
        except KeyboardInterrupt:
            _say("\nstopping")


@contextmanager
def _gunicorn(environ: dict[str, str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        # A session of its own: Ctrl-C reaches the demo alone, which then stops this one child.
        server = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "gunicorn", "hello_world.wsgi", "--workers=2", f"--bind={HOST}:{port}",
             f"--timeout={UPLOAD_SECONDS}", "--no-control-socket"],
            cwd=ROOT, env=environ, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            _await_answer(server, port, log)
            yield server
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _await_answer(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise DemoFailed(f"gunicorn ended with status {server.returncode}:\n{_tail(log)}")
        try:
            status, _, _ = _request(port, "GET", "/")
        except OSError:
            time.sleep(0.1)
            continue
        if status == 200:
            return
        raise DemoFailed(f"the service answers GET / with {status}:\n{_tail(log)}")
    raise DemoFailed(f"gunicorn did not answer within 60 s:\n{_tail(log)}")


def _upload(port: int, claims: Path) -> dict[str, Any]:
    boundary = "upstream-demo-boundary"
    before = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="customer"\r\n\r\n{CUSTOMER}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{claims.name}"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    ).encode()
    after = f"\r\n--{boundary}--\r\n".encode()
    size = claims.stat().st_size
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(len(before) + size + len(after)),
    }
    began = time.perf_counter()
    with claims.open("rb") as source, _server_progress(port):
        answer = _request(port, "POST", "/claims/upload/", _body(before, source, after, size), headers)
    _say(f"  answered after {time.perf_counter() - began:.1f} s")
    return _json("upload", *answer)


def _body(before: bytes, source: BinaryIO, after: bytes, size: int) -> Iterator[bytes]:
    yield before
    sent, told = 0, 0
    while block := source.read(65_536):
        yield block
        sent += len(block)
        if sent * 5 // size > told:
            told = sent * 5 // size
            _say(f"  sent {sent:,} of {size:,} bytes")
    yield after


@contextmanager
def _server_progress(port: int) -> Iterator[None]:
    """Tell meanwhile how many rows the server has read: the other worker answers."""
    done = threading.Event()

    def watch() -> None:
        seen = 0
        while not done.wait(0.5):
            try:
                _, _, body = _request(port, "GET", f"/claims/batches/?customer={CUSTOMER}")
                batches = json.loads(body).get("batches", [])
            except (OSError, http.client.HTTPException, ValueError):
                continue
            if batches and batches[0]["rows"] > seen:
                seen = batches[0]["rows"]
                _say(f"  server: {seen:,} rows checked and stored")

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _show_metrics(port: int) -> None:
    status, _, body = _request(port, "GET", "/metrics", None, {"Accept": "text/plain", "Accept-Encoding": "gzip"})
    if status != 200:
        raise DemoFailed(f"GET /metrics answers {status}: {body[:500].decode('utf-8', 'replace')}")
    lines = (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode().splitlines()
    _show_families(lines, "upstream_", lambda line: True)
    _show_families(lines, "django_http_", lambda line: "_bucket{" not in line and float(line.rpartition(" ")[2]) != 0)


def _show_families(lines: list[str], prefix: str, wanted: Callable[[str], bool]) -> None:
    heads: list[str] = []
    shown = False
    for line in lines:
        if line.startswith("#"):
            if line.startswith(f"# HELP {prefix}"):
                heads = [line]
            elif line.startswith(f"# TYPE {prefix}"):
                heads.append(line)
        elif line.startswith(prefix) and wanted(line):
            for text in (*heads, line):
                _say(f"  {text}")
            heads, shown = [], True
    if not shown:
        raise DemoFailed(f"/metrics shows no {prefix}* value after this work")


def _request(
    port: int, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=UPLOAD_SECONDS)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.reason, answer.read()
    finally:
        connection.close()


def _json(step: str, status: int, reason: str, body: bytes) -> dict[str, Any]:
    if status not in (200, 201):
        raise DemoFailed(f"{step}: the service answers {status} {reason}: {body[:1000].decode('utf-8', 'replace')}")
    answer: dict[str, Any] = json.loads(body)
    return answer


def _manage(environ: dict[str, str], *arguments: str) -> None:
    done = subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environ, check=False)  # noqa: S603
    if done.returncode:
        raise DemoFailed(f"manage.py {arguments[0]} ended with status {done.returncode}")


def _need_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise DemoFailed(
                f"PORT {port} on {HOST} cannot be had ({error.strerror}); give another: PORT=8001"
            ) from None


def _number(name: str, default: int) -> int:
    given = os.environ.get(name) or str(default)
    if not given.isascii() or not given.isdigit() or (name == "PORT" and not 0 < int(given) < 65_536):
        raise DemoFailed(
            f"{name}: {given!r} is not valid; give a whole number{' up to 65535' if name == 'PORT' else ''}"
        )
    return int(given)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _step(what: str) -> None:
    _say(f"\n== {what}")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
