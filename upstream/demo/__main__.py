"""Runs the demo.

Environment: `PORT` (8000), `ROWS` (50000), `SEED` (1), `ONCE=1` to end without waiting for Ctrl-C.
"""

from __future__ import annotations

import datetime
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

from upstream.demo import page
from upstream.demo.client import Answer, Client, request
from upstream.demo.failure import DemoFailed
from upstream.demo.prepare import BUSY, DEMO
from upstream.demo.processes import HOST, ROOT, manage, module, need_free, tail, web, worker
from upstream.demo.receiver import Received, receiver
from upstream.demo.saying import say, step
from upstream.signing import new_secret

DRIFTS = (
    "aetna:adjustment_pattern",
    "anthem:ar_aging",
    "cigna:code_mapping_change",
    "humana:payment_delay",
    "humana:denial_rate",
    "united:denial_reason",
)
"""What is planted into the file of claims: payer and drift."""
REPORTS = ("drift_summary", "payment_analysis", "denial_analysis", "quality_dashboard")
BROKEN = (
    f"{DEMO},aetna,,99213,10.00,,2025-01-02,2025-01-05,,false,",
    f"{DEMO},aetna,X-1,?,10.00,,2025-01-02,2025-01-05,,false,",
    f"{DEMO},aetna,X-2,99213,-1.00,,2025-01-02,2025-01-05,,false,",
    f"{DEMO},nobody,X-3,99213,10.00,,2025-01-02,2025-01-05,,false,",
    f"{DEMO},aetna,X-4,99213,10.00,,2025-01-02,2025-01-05,,false,",
    f"{DEMO},aetna,X-4,99213,10.00,,2025-01-02,2025-01-05,,false,",
)


def main() -> int:
    """Run the demo; 0 when every step worked."""
    # Both, because a shell starts a background job with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        port, rows, seed = _number("PORT", 8000), _number("ROWS", 50_000), _number("SEED", 1)
        _run(port, rows, seed, once=os.environ.get("ONCE", "") not in ("", "0"))
    except DemoFailed as error:
        say(f"\ndemo failed: {error}")
        return 1
    except (OSError, http.client.HTTPException) as error:
        say(f"\ndemo failed: {type(error).__name__}: {error}")
        return 1
    except KeyboardInterrupt:
        say("\ninterrupted")
        return 130
    return 0


def _run(port: int, rows: int, seed: int, *, once: bool) -> None:
    need_free(port)
    # By port, so that two demos at once share neither database nor numbers.
    directory = ROOT / "var" / "demo" / str(port)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    database, claims = directory / "upstream.sqlite3", directory / "claims.csv"
    environ = {
        **os.environ,
        "OTEL_SERVICE_NAME": f"upstream-demo-{port}",
        "DJANGO_SETTINGS_MODULE": "upstream.settings.dev",
        "DATABASE_URL": f"sqlite:///{urllib.parse.quote(str(database))}",
        "UPSTREAM_VAR_DIR": str(directory),
        "UPSTREAM_BROKER_URL": "",
        "PYTHONUNBUFFERED": "1",
    }
    step(f"migrating SQLite ({database})")
    manage(environ, "migrate", "--verbosity=0")
    step(f"generating {rows:,} claims")
    manage(environ, "generate_claims", f"--rows={rows}", f"--seed={seed}", f"--customer={DEMO}",
           *(f"--drift={drift}" for drift in DRIFTS), "--register", f"--out={claims}")  # fmt: skip
    secret = new_secret()
    with receiver(HOST, secret) as received:
        tokens = json.loads(module(environ, "upstream.demo.prepare", received.url, secret))
        step(f"starting gunicorn with 2 workers on http://{HOST}:{port}, and a worker with 2 processes for the jobs")
        logs = directory / "gunicorn.log", directory / "worker.log"
        with web(environ, port, logs[0]) as server, worker(environ, logs[1]):
            _await_answer(server, port, logs[0])
            demo, busy = Client(port, tokens[DEMO]), Client(port, tokens[BUSY])
            _upload(demo, claims, rows)
            _upload_broken(demo, directory)
            last_day = _detect(demo, rows, received)
            _report(demo, directory, last_day)
            _ask_too_often(busy)
            step(f"metrics of the web workers and the job worker, summed (http://{HOST}:{port}/metrics)")
            page.show(port)
            if once:
                return
            try:
                step(f"up on http://{HOST}:{port}; Ctrl-C ends it")
                say(f"  API: http://{HOST}:{port}/api/v1/, with the header Authorization: Token {tokens[DEMO]}")
                raise DemoFailed(f"gunicorn ended by itself with status {server.wait()}")
            except KeyboardInterrupt:
                say("\nstopping")


def _await_answer(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise DemoFailed(f"gunicorn ended with status {server.returncode}:\n{tail(log)}")
        try:
            status, _ = request(port, "GET", "/")
        except OSError:
            time.sleep(0.1)
            continue
        if status == 200:
            return
        raise DemoFailed(f"the service answers GET / with {status}:\n{tail(log)}")
    raise DemoFailed(f"gunicorn did not answer within 60 s:\n{tail(log)}")


def _upload(demo: Client, claims: Path, rows: int) -> None:
    step(f"uploading {claims.name}, {claims.stat().st_size:,} bytes")
    began = time.perf_counter()
    taken = demo.upload(claims, _Fifths("sent {:,} of {:,} bytes").tell)
    say(f"  taken in after {time.perf_counter() - began:.1f} s as batch {taken['batch']['id']}")
    path = f"batches/{taken['batch']['id']}/"
    read = _Fifths("worker: {:,} of {:,} rows read")
    job = demo.wait(taken["job"], lambda: read.tell(demo.get(path)["rows"], rows))
    batch = demo.get(path)
    if job["status"] != "completed":
        raise DemoFailed(f"batch {batch['id']}: {batch['error']}")
    scores = ", ".join(f"{name} {score:.3f}" for name, score in sorted(batch["scores"].items()))
    say(f"  batch {batch['id']}: {batch['status']}, {batch['accepted_count']:,} of {batch['rows']:,} stored; {scores}")


class _Fifths:
    """Tells of each fifth of something, once it is done."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._told = 0

    def tell(self, count: int, size: int) -> None:
        if count * 5 // size > self._told:
            self._told = count * 5 // size
            say(f"  {self._words.format(count, size)}")


def _upload_broken(demo: Client, directory: Path) -> None:
    step("uploading a file with broken rows, and one that is none")
    with (directory / "claims.csv").open() as file:
        header = file.readline().strip()
    columns = header.count(",") + 1
    rows = (line + "," * (columns - line.count(",") - 1) for line in BROKEN)
    for name, lines in (("broken.csv", [header, *rows]), ("nonsense.csv", ["this is no file of claims"])):
        path = directory / name
        path.write_text("".join(f"{line}\n" for line in lines))
        taken = demo.upload(path)
        demo.wait(taken["job"])
        batch = demo.get(f"batches/{taken['batch']['id']}/")
        say(f"  {name}: {batch['status']}, {batch['rejected_count']} rows rejected{_why(batch)}")


def _why(batch: Answer) -> str:
    if batch["error"]:
        return f"; {batch['error'][:100]}"
    checks = {reason["check"] for row in batch["first_rejected"] for reason in row["reasons"]}
    return f"; {', '.join(sorted(checks))}"


def _detect(demo: Client, rows: int, received: Received) -> datetime.date:
    step("detection, which the upload has started")
    *_, job = demo.wait_for_all("drift_detection")
    if job["status"] != "completed":
        raise DemoFailed(f"detection: {job['error_type']}")
    say(f"  {job['result']['events']} drift events up to {job['result']['window_end']}")
    deliveries = demo.wait_for_all("alert_processing")
    alerts = demo.get("alerts/")["results"]
    step(f"alerts raised: {len(alerts)}")
    for alert in alerts:
        say(f"  [{alert['severity']}] {alert['title']} ({alert['status']})")
    if not alerts:
        raise DemoFailed(
            f"detection raised no alert, though payers drift; {rows:,} claims may be too few to tell: "
            "ROWS=5000 or more are enough"
        )
    delivered = sum(each["status"] == "completed" for each in deliveries)
    say(
        f"  {delivered} of {len(deliveries)} deliveries made; the webhook got {len(received.alerts)} alerts with a "
        f"valid signature, Slack {len(received.messages)}; one channel is gone"
    )
    if len(received.alerts) != len(alerts) or received.refused:
        raise DemoFailed(f"{len(received.alerts)} of {len(alerts)} alerts reached the webhook; {received.refused}")
    step("asking for detection again: the same drift raises nothing twice")
    job = demo.wait(demo.post("detections/"))
    say(f"  {job['result']['events']} drift events, {job['result']['alerts']} alerts")
    return datetime.date.fromisoformat(job["result"]["window_end"])


def _report(demo: Client, directory: Path, last_day: datetime.date) -> None:
    step("writing reports")
    start = last_day - datetime.timedelta(days=119)
    today = datetime.datetime.now(datetime.UTC).date()
    for report_type in REPORTS:
        # The scores are of the days on which files came in: today.
        end = today if report_type == "quality_dashboard" else last_day
        report = _written(demo, demo.post("reports/", report_type=report_type, start=str(start), end=str(end)))
        if report["status"] != "completed":
            raise DemoFailed(f"report {report_type}: {report['error']}")
        for kind in ("html", "csv"):
            path = directory / f"{report_type}.{kind}"
            path.write_bytes(demo.text(f"reports/{report['id']}/{kind}/"))
        say(f"  {report_type}: open {(directory / f'{report_type}.html').as_uri()}")
    empty = {"start": "2001-01-01", "end": "2001-01-31"}
    report = _written(demo, demo.post("reports/", report_type="denial_analysis", **empty))
    say(f"  one over a month without claims: {report['status']}; {report['error']}")


def _written(demo: Client, report: Answer) -> Answer:
    demo.wait_for_all("report_generation")
    return demo.get(f"reports/{report['id']}/")


def _ask_too_often(busy: Client) -> None:
    step("asking too often")
    most = 1000
    for call in range(1, most + 1):
        if (status := busy.status("customer/")) == 429:
            say(f"  call {call} is refused: 429")
            return
        if status != 200:
            raise DemoFailed(f"customer: the service answers {status}")
    raise DemoFailed(f"{most} calls in a row, and none was refused")


def _number(name: str, default: int) -> int:
    given = os.environ.get(name) or str(default)
    if not given.isascii() or not given.isdigit() or (name == "PORT" and not 0 < int(given) < 65_536):
        raise DemoFailed(
            f"{name}: {given!r} is not valid; give a whole number{' up to 65535' if name == 'PORT' else ''}"
        )
    return int(given)


if __name__ == "__main__":
    sys.exit(main())
