"""The product at work under gunicorn, a Celery worker beside it: a file, detection, failures, and requests."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telemetry.tests.servers.harness import CHECKOUT, Server, get, gunicorn
from upstream.tests.service import Worker

CUSTOMER = "mercy"
ROWS = 4000
ATTEMPTS = 3
"""How often a detection pass is tried."""
BROKEN_ROWS = f"{CUSTOMER},nobody,X-1,99213,1.00,,2025-01-02,2025-01-05,,false,,\n{CUSTOMER},aetna,X-2\n"
SETTINGS = "telemetry.tests.prometheus.settings"
SECONDS = 60
"""How long a job may take."""


@dataclass
class UpstreamService:
    """The running product, its database, and the token of a customer's program."""

    server: Server
    database: Path
    token: str

    def call(
        self, method: str, path: str, body: bytes = b"", content_type: str = "application/json"
    ) -> tuple[int, Any]:
        """Call the API: the status of the answer and its JSON, if it is that."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        try:
            headers = {"Authorization": f"Token {self.token}", "Content-Type": content_type}
            connection.request(method, f"/api/v1/{path}", body, headers)
            response = connection.getresponse()
            text = response.read()
            is_json = response.headers.get_content_type() == "application/json"
            return response.status, json.loads(text) if is_json else text
        finally:
            connection.close()

    def upload(self, claims: Path) -> Any:
        """Have a file of claims ingested; the job."""
        boundary = "boundary-of-the-test"
        before = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{claims.name}"\r\n\r\n'
        body = f"{before}{claims.read_text()}\r\n--{boundary}--\r\n".encode()
        status, answer = self.call("POST", "batches/", body, f"multipart/form-data; boundary={boundary}")
        assert status == 202, answer
        return self.wait(answer["job"])

    def detected(self) -> Any:
        """The job that looks for drift in what was uploaded, when it is over."""
        status, answer = self.call("GET", "jobs/?job_type=drift_detection")
        assert status == 200, answer
        (job,) = answer["results"]
        return self.wait(job)

    def detect(self) -> Any:
        """Have detection run; the job."""
        status, answer = self.call("POST", "detections/", b"{}")
        assert status == 202, answer
        return self.wait(answer)

    def wait(self, job: Any) -> Any:
        """The job when it is over; meanwhile the batches are asked for again and again."""
        deadline = time.monotonic() + SECONDS
        while job["status"] not in ("completed", "failed"):
            assert time.monotonic() < deadline, f"not over within {SECONDS} s: {job}"
            self.call("GET", "batches/")
            time.sleep(0.02)
            job = self.call("GET", f"jobs/{job['id']}/")[1]
        return job

    @contextlib.contextmanager
    def without(self, table: str) -> Iterator[None]:
        """A table is away while the block runs."""
        self._sql(f"ALTER TABLE {table} RENAME TO {table}_away")
        try:
            yield
        finally:
            self._sql(f"ALTER TABLE {table}_away RENAME TO {table}")

    def lose_a_batch(self) -> None:
        """A batch whose process was killed while it was read: its progress is asked for and not known."""
        self._sql(
            "INSERT INTO upstream_claimbatch (customer_id, filename, file, status, row_count, accepted_count,"
            " rejected_count, error, received_at)"
            " SELECT id, 'lost.csv', '', 'processing', 0, 0, 0, '', datetime('now') FROM upstream_customer"
        )

    def _sql(self, statement: str) -> None:
        with contextlib.closing(sqlite3.connect(self.database, timeout=30)) as connection, connection:
            connection.execute(statement)


@contextlib.contextmanager
def upstream_service(directory: Path) -> Iterator[UpstreamService]:
    """The product on a migrated, empty SQLite below `directory`, with a worker."""
    database = directory / "upstream.sqlite3"
    environ = {
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "DATABASE_URL": f"sqlite:///{urllib.parse.quote(str(database))}",
        "UPSTREAM_VAR_DIR": str(directory / "var"),
        "UPSTREAM_SWEEP_SECONDS": "1",
        "UPSTREAM_RETRY_SECONDS": "0.2",
        "UPSTREAM_API_BURST": "1000000/minute",
        "UPSTREAM_API_SUSTAINED": "1000000/minute",
    }
    # Commands that work on the database are another service, with a store of their own.
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PYTEST_", "TELEMETRY_"))
    }
    apart = {**clean, **environ, "TELEMETRY_STORE_DIR": str(directory / "commands")}
    claims = directory / "claims.csv"
    for command in (
        ["migrate", "--verbosity=0"],
        ["generate_claims", f"--rows={ROWS}", f"--customer={CUSTOMER}", "--register", f"--out={claims}"],
        ["issue_token", f"--customer={CUSTOMER}", "--name=test"],
    ):
        said = subprocess.run([sys.executable, "manage.py", *command], cwd=CHECKOUT, env=apart, check=True, timeout=120,
                              stdout=subprocess.PIPE, text=True).stdout  # fmt: skip
    with claims.open("a") as file:
        file.write(BROKEN_ROWS)
    with gunicorn(directory, "--workers", "4", app="hello_world.wsgi", env=environ) as server:
        worker = Worker(directory / "worker.log", {**apart, "TELEMETRY_STORE_DIR": str(server.store)}, concurrency=2)
        try:
            yield UpstreamService(server, database, token=said.strip())
        finally:
            worker.stop()


def work(service: UpstreamService, directory: Path) -> None:
    """Everything that the product does, once, and what goes wrong with it."""
    assert "completed" == service.upload(directory / "claims.csv")["status"]
    assert "completed" == service.detected()["status"]
    assert "completed" == service.detect()["status"], (
        "the second pass finds the same drift, whose alerts are suppressed"
    )
    with service.without("upstream_claim"):
        failed = service.detect()
    assert ("failed", "OperationalError", ATTEMPTS) == (failed["status"], failed["error_type"], failed["attempts"])
    with service.without("upstream_report"):
        assert 500 == service.call("GET", "reports/")[0]
    service.lose_a_batch()
    assert 404 == get(service.server.port, "/nowhere")[0]
    assert 401 == get(service.server.port, "/api/v1/batches/")[0]
    assert 405 == service.call("GET", "detections/")[0]
    assert 404 == service.call("GET", "batches/999999/")[0]
