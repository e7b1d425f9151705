"""A quarter of a million claims through the API and a worker: in bounded memory, with progress."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.tests.servers.harness import total
from upstream.demo.client import Client
from upstream.tests.databases import empty_database
from upstream.tests.service import CUSTOMER, Service, service

pytestmark = pytest.mark.slow

ROWS = 250_000
MOST = 512 * 1024
"""What a process may have had resident at any time, in KiB."""
TOKEN = "tell(ApiToken.issue(customer, 'test')[1])"


@pytest.fixture(params=["sqlite", "postgresql"])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    with empty_database(request.param) as url, service(tmp_path, url) as running:
        yield running


class TestLargeFile:
    def test(self, running: Service) -> None:
        claims = running.directory / "claims.csv"
        running.manage("generate_claims", f"--rows={ROWS}", f"--customer={CUSTOMER}", "--register", f"--out={claims}")
        client = Client(running.web.port, running.run(TOKEN))
        with running.worker() as worker:
            taken = client.upload(claims)
            path = f"batches/{taken['batch']['id']}/"
            seen = [0]
            job = client.wait(taken["job"], lambda: seen.append(client.get(path)["rows"]))
            peaks = {pid: peak(pid) for parent in (running.web.process, worker.process) for pid in family(parent.pid)}
        assert "completed" == job["status"], worker.log()
        assert {"rows": ROWS, "accepted": ROWS} == job["result"]
        assert sorted(seen) == seen, "it goes forward only"
        assert len({rows for rows in seen if 0 < rows < ROWS}) > 3, "it is told while it goes on"
        assert ROWS == total(running.scrape(), "upstream_claim_records_ingested_total", status="success")
        print(json.dumps({"KiB resident at most, by process": peaks}))
        assert max(peaks.values()) <= MOST, peaks


def family(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def peak(pid: int) -> int:
    """The most that a process has had resident, in KiB: VmHWM of proc_pid_status(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
