"""The product under gunicorn, doing its work: a file of claims, detection, failures, and requests without pause."""

from __future__ import annotations

import contextlib
import http.client
import os
import sqlite3
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from telemetry.tests.servers.harness import CHECKOUT, Server, Traffic, get, gunicorn

CUSTOMER = "mercy"
ROWS = 4000
BROKEN_ROWS = f"{CUSTOMER},nobody,X-1,99213,1.00,,2025-01-02,2025-01-05,,false,\n{CUSTOMER},aetna,X-2\n"
SETTINGS = "telemetry.tests.prometheus.settings"


@dataclass
class UpstreamService:
    """The running product and its database."""

    server: Server
    database: Path

    def upload(self, claims: Path) -> int:
        """Send a file of claims; the status of the answer."""
        boundary = "boundary-of-the-test"
        parts = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="customer"\r\n\r\n{CUSTOMER}\r\n',
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{claims.name}"\r\n\r\n',
            f"{claims.read_text()}\r\n--{boundary}--\r\n",
        )
        return self._post("/claims/upload/", "".join(parts).encode(), f"multipart/form-data; boundary={boundary}")

    def detect(self) -> int:
        """Run detection; the status of the answer."""
        body = urllib.parse.urlencode({"customer": CUSTOMER}).encode()
        return self._post("/detection/run/", body, "application/x-www-form-urlencoded")

    def detect_without_claims(self) -> int:
        """Run detection while the table of claims is away; the status of the answer."""
        self._sql("ALTER TABLE upstream_claim RENAME TO upstream_claim_away")
        try:
            return self.detect()
        finally:
            self._sql("ALTER TABLE upstream_claim_away RENAME TO upstream_claim")

    def lose_a_batch(self) -> None:
        """A batch whose process was killed while it was read: its progress is asked for and not known."""
        self._sql(
            "INSERT INTO upstream_claimbatch (customer_id, filename, status, row_count, accepted_count,"
            " rejected_count, error, received_at)"
            " SELECT id, 'lost.csv', 'processing', 0, 0, 0, '', datetime('now') FROM upstream_customer"
        )

    def _post(self, path: str, body: bytes, content_type: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        try:
            connection.request("POST", path, body, {"Content-Type": content_type})
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    def _sql(self, statement: str) -> None:
        with contextlib.closing(sqlite3.connect(self.database, timeout=30)) as connection, connection:
            connection.execute(statement)


@contextlib.contextmanager
def upstream_service(directory: Path) -> Iterator[UpstreamService]:
    """The product on a migrated, empty SQLite below `directory`."""
    database = directory / "upstream.sqlite3"
    environ = {
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "DATABASE_URL": f"sqlite:///{urllib.parse.quote(str(database))}",
        "UPSTREAM_TEST_CACHE": str(directory / "cache"),
        "UPSTREAM_UPLOAD_TOKEN": "",
    }
    # Commands that work on the database are another service, with a store of their own.
    apart = {**os.environ, **environ, "TELEMETRY_STORE_DIR": str(directory / "commands")}
    claims = directory / "claims.csv"
    for command in (
        ["migrate", "--verbosity=0"],
        ["generate_claims", f"--rows={ROWS}", f"--customer={CUSTOMER}", "--register", f"--out={claims}"],
    ):
        subprocess.run([sys.executable, "manage.py", *command], cwd=CHECKOUT, env=apart, check=True, timeout=120,
                       stdout=subprocess.DEVNULL)  # fmt: skip
    with claims.open("a") as file:
        file.write(BROKEN_ROWS)
    with gunicorn(directory, "--workers", "4", app="hello_world.wsgi", env=environ) as server:
        yield UpstreamService(server, database)


def work(service: UpstreamService, directory: Path) -> None:
    """Everything that the product does, once, and what goes wrong with it."""
    port = service.server.port
    batches = f"/claims/batches/?customer={CUSTOMER}"
    with Traffic(port, batches).running(threads=2):
        assert 201 == service.upload(directory / "claims.csv")
    assert 200 == service.detect()
    assert 200 == service.detect(), "the second pass finds the same drift, whose alerts are suppressed"
    assert 500 == service.detect_without_claims()
    service.lose_a_batch()
    assert 404 == get(port, "/nowhere")[0]
    assert 405 == get(port, "/detection/run/")[0]
    assert 404 == get(port, "/claims/batches/?customer=nobody")[0]
