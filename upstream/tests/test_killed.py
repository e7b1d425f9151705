"""Workers killed by SIGKILL in the middle of each kind of job: it runs again, and nothing is there twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry.tests.postgres.server import Unavailable, postgres
from telemetry.tests.servers.harness import Samples, get, total
from upstream.tests.service import CUSTOMER, Service, service, wait_until

ROWS = 5000

JOBS = "tell(list(Job.objects.order_by('pk').values('pk', 'name', 'status', 'attempts', 'error_type')))"
RECEIVE = "ingestion.receive(customer, open(path, 'rb'), 'claims.csv')"
COUNTS = """
tell({
    "claims": Claim.objects.count(),
    "batches": list(ClaimBatch.objects.values_list("status", "row_count")),
    "scores": QualityScore.objects.count(),
    "uploads": [path.name for path in (__import__("pathlib").Path(django.conf.settings.MEDIA_ROOT) / "claims").iterdir()],
})
"""


def prepare(service: Service) -> Path:
    """The customer, the payers and a file of claims."""
    claims = service.directory / "claims.csv"
    service.manage("generate_claims", f"--rows={ROWS}", f"--customer={CUSTOMER}", "--register", f"--out={claims}")
    # The web worker is the one that lives: it keeps the counts of this generation.
    assert 200 == get(service.web.port, "/")[0]
    return claims


def kill_in_the_middle(service: Service, statement: str) -> None:
    """Have a worker begin, and kill it when it has executed this statement and not committed."""
    mark = service.directory / f"{abs(hash(statement))}.mark"
    with service.worker(PAUSE_AFTER=statement, PAUSE_MARK=str(mark)) as worker:
        wait_until(mark.exists, f"{statement}\n{worker.log()[-2000:]}")
        worker.kill()


def finished(service: Service, number: int) -> list[dict[str, Any]]:
    """All jobs, when so many have ended."""

    def ended() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = service.run(JOBS)
        over = [job for job in found if job["status"] in ("completed", "failed")]
        return found if len(over) == number else None

    return list(wait_until(ended, f"{number} jobs have ended: {service.run(JOBS)}"))


def counted(samples: Samples, job_type: str) -> dict[str, float]:
    """What the metrics say of the jobs of a type."""
    return {
        what: total(samples, f"upstream_background_job_{what}_total", job_type=job_type)
        for what in ("started", "completed", "failed")
    }


class TestIngestion:
    def test_on_sqlite(self, tmp_path: Path) -> None:
        with service(tmp_path) as running:
            self.killed(running)

    @pytest.mark.slow
    def test_on_postgresql(self, tmp_path: Path, database: str) -> None:
        with service(tmp_path, database) as running:
            self.killed(running)

    def killed(self, service: Service) -> None:
        claims = prepare(service)
        service.run(RECEIVE, path=str(claims))
        kill_in_the_middle(service, 'INSERT INTO "upstream_claim"')
        assert 0 == service.run(COUNTS)["claims"], "what was not committed is not there"
        with service.worker():
            assert [("completed", 2, "")] == [
                (job["status"], job["attempts"], job["error_type"]) for job in finished(service, 1)
            ]
        assert {"claims": ROWS, "batches": [["success", ROWS]], "scores": 4, "uploads": []} == service.run(COUNTS)
        samples = service.scrape()
        assert {"started": 2, "completed": 1, "failed": 1} == counted(samples, "data_sync")
        assert 1 == total(samples, "upstream_background_job_failed_total", error_type="WorkerLost")
        assert ROWS == total(samples, "upstream_claim_records_ingested_total", status="success")


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    try:
        with postgres() as server:
            server.ask("CREATE DATABASE upstream")
            yield server.url("upstream")
    except Unavailable as error:
        pytest.skip(str(error))
