"""Workers killed by SIGKILL in the middle of each kind of job: it runs again, and nothing is there twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry.tests.servers.harness import get, total
from upstream.tests.databases import empty_database
from upstream.tests.receiver import SILENCE, receiver
from upstream.tests.service import CUSTOMER, Service, service, wait_until

pytestmark = pytest.mark.slow

ROWS = 9000
ENDED = ("completed", "failed")

JOBS = """
jobs = Job.objects.filter(pk__gt=after).order_by("pk")
tell(list(jobs.values("pk", "name", "status", "attempts", "error_type")))
"""
LAST = "tell(Job.objects.order_by('-pk').values_list('pk', flat=True).first() or 0)"
NEW = "newcomer"
RECEIVE = "ingestion.receive(Customer.objects.get(code=who), open(path, 'rb'), 'claims.csv')"
INGEST = """
from django.conf import settings
settings.UPSTREAM_DETECT_AFTER_INGESTION = False
ingestion.ingest_now(customer, open(path, "rb"), "claims.csv")
"""
"""With nothing that comes of it."""
STORED = """
from pathlib import Path
from django.conf import settings
tell({
    "claims": Claim.objects.filter(customer__code=who).count(),
    "batches": list(ClaimBatch.objects.filter(customer__code=who).values_list("status", "row_count")),
    "scores": QualityScore.objects.filter(batch__customer__code=who).count(),
    "uploads": [path.name for path in (Path(settings.MEDIA_ROOT) / "claims").iterdir()],
})
"""
FOUND = """
tell({
    "events": list(customer.drift_events.order_by("pk").values_list("payer__code", "drift_type", "subject")),
    "alerts": customer.alerts.count(),
    "deliveries": AlertDelivery.objects.filter(alert__customer=customer).count(),
})
"""
SNAPSHOTS = "tell(sorted(QualitySnapshot.objects.values_list('metric_type', flat=True)))"
REPORTS = "tell([[report.status, len(report.html) > 1000, len(report.csv) > 50] for report in Report.objects.all()])"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with a customer's claims, and a web worker that keeps this generation's counts."""
    with empty_database(request.param) as url, service(tmp_path_factory.mktemp("killed"), url) as running:
        for code in (CUSTOMER, NEW):
            claims = running.directory / f"{code}.csv"
            running.manage("generate_claims", f"--rows={ROWS}", f"--customer={code}", "--register", f"--out={claims}")
        running.run(INGEST, path=str(running.directory / f"{CUSTOMER}.csv"))
        assert 200 == get(running.web.port, "/")[0]
        yield running


class Killing:
    """What one test does to the service, and what became of it."""

    def __init__(self, service: Service, mark: Path) -> None:
        self.service = service
        self._mark = mark
        self._after = service.run(LAST)
        self._before = service.scrape()

    def kill_after(self, statement: str) -> None:
        """Have a worker begin, and kill it when it has executed this statement and not committed."""
        with self.service.worker(PAUSE_AFTER=statement, PAUSE_MARK=str(self._mark)) as worker:
            wait_until(self._mark.exists, worker.log)
            worker.kill()

    def jobs(self) -> list[dict[str, Any]]:
        """The jobs since the beginning of the test."""
        return list(self.service.run(JOBS, after=self._after))

    def ended(self) -> bool:
        """Whether all of them have."""
        return all(job["status"] in ENDED for job in self.jobs())

    def finish(self) -> list[tuple[str, str, int]]:
        """Let a worker do what there is; name, status and attempts of each job."""
        with self.service.worker() as worker:
            wait_until(self.ended, lambda: (self.jobs(), worker.log()))
        return [(job["name"], job["status"], job["attempts"]) for job in self.jobs()]

    def counted(self, name: str, **labels: str) -> float:
        """By how much a metric has risen."""
        return total(self.service.scrape(), name, **labels) - total(self._before, name, **labels)

    def attempts(self, job_type: str) -> tuple[float, float, float]:
        """How many attempts the metrics have seen begin, completed, and lost."""
        return (
            self.counted("upstream_background_job_started_total", job_type=job_type),
            self.counted("upstream_background_job_completed_total", job_type=job_type),
            self.counted("upstream_background_job_failed_total", job_type=job_type, error_type="WorkerLost"),
        )


@pytest.fixture
def killing(running: Service, tmp_path: Path) -> Killing:
    return Killing(running, tmp_path / "mark")


class TestIngestion:
    def test(self, killing: Killing) -> None:
        running = killing.service
        running.run(RECEIVE, who=NEW, path=str(running.directory / f"{NEW}.csv"))
        killing.kill_after('INSERT INTO "upstream_claim"')
        assert 0 == running.run(STORED, who=NEW)["claims"], "what was not committed is not there"
        ingestion, detection, *deliveries = killing.finish()
        assert ("ingest", "completed", 2) == ingestion
        assert ("detect", "completed", 1) == detection
        assert {("deliver", "completed", 1)} == set(deliveries)
        assert {"claims": ROWS, "batches": [["success", ROWS]], "scores": 4, "uploads": []} == running.run(
            STORED, who=NEW
        )
        assert (2, 1, 1) == killing.attempts("data_sync")
        assert ROWS == killing.counted("upstream_claim_records_ingested_total", status="success")


class TestDetection:
    def test(self, killing: Killing) -> None:
        running = killing.service
        running.run("detection.request(customer)")
        killing.kill_after('INSERT INTO "upstream_alert"')
        assert {"events": [], "alerts": 0, "deliveries": 0} == running.run(FOUND)
        first, *deliveries = killing.finish()
        assert ("detect", "completed", 2) == first
        found = running.run(FOUND)
        assert len(found["events"]) == len({tuple(event) for event in found["events"]}) > 0
        assert found["alerts"] == len(deliveries) > 0
        assert (2, 1, 1) == killing.attempts("drift_detection")
        assert len(found["events"]) == killing.counted("upstream_drift_event_detected_total")
        assert found["alerts"] == killing.counted("upstream_alert_created_total")


class TestDelivery:
    """A webhook has got the alert when the worker is killed: it gets it once more, and can tell that it is the same."""

    ALERT = """
AlertChannel.objects.create(customer=customer, channel_type="webhook", target=target, secret="whsec_c2VjcmV0")
event = DriftEvent.objects.create(
    job=Job.objects.order_by("pk").first(), customer=customer, payer=Payer.objects.order_by("pk").first(),
    product="DelayGuard", drift_type="payment_delay", subject="of this test", severity=0.8,
    baseline=20, current=32, baseline_size=100, current_size=100, effect=0.5, p_value=1e-6,
    window_start=datetime.date(2025, 6, 1), window_end=datetime.date(2025, 6, 30),
)
from django.db import transaction
with transaction.atomic():
    alert = alerts.raise_for(event)
alerts.measure(event, alert)
tell(alert.pk)
"""
    STATUS = """
delivery = AlertDelivery.objects.get(alert=pk, channel_type="webhook")
tell([delivery.alert.status, delivery.status, delivery.attempts])
"""

    def test(self, killing: Killing) -> None:
        running = killing.service
        with receiver(SILENCE, 204) as webhook:
            alert = running.run(self.ALERT, target=webhook.url())
            # One process: another of the pool might be killed between the commit of its start and the count of it.
            with running.worker(concurrency=1) as worker:
                wait_until(lambda: webhook.requests, worker.log)
                worker.kill()
            assert {("deliver", "completed")} == {job[:2] for job in killing.finish()}
            ids = [request.headers["webhook-id"] for request in webhook.requests]
            assert 2 == len(ids)
            assert 1 == len(set(ids)), "both times it has the id by which a receiver knows it"
        assert ["delivered", "delivered", 2] == running.run(self.STATUS, pk=alert)
        assert 1 == killing.counted("upstream_alert_delivered_total", channel_type="webhook")
        assert 0 == killing.counted("upstream_alert_failed_total")
        done = len(killing.jobs())
        assert (done + 1, done, 1) == killing.attempts("alert_processing")


class TestReport:
    def test(self, killing: Killing) -> None:
        running = killing.service
        running.run(
            "reports.request(customer, 'denial_analysis', datetime.date(2025, 6, 1), datetime.date(2025, 6, 30))"
        )
        killing.kill_after('UPDATE "upstream_report"')
        assert [["pending", False, False]] == running.run(REPORTS)
        assert [("report", "completed", 2)] == killing.finish()
        assert [["completed", True, True]] == running.run(REPORTS)
        assert (2, 1, 1) == killing.attempts("report_generation")
        assert 1 == killing.counted("upstream_report_generated_total", report_type="denial_analysis")
        assert 0 == killing.counted("upstream_report_generation_failed_total")


class TestQuality:
    def test(self, killing: Killing) -> None:
        running = killing.service
        running.run("jobs.enqueue('quality', customer, day=datetime.date.today().isoformat())")
        killing.kill_after('INSERT INTO "upstream_qualitysnapshot"')
        assert [] == running.run(SNAPSHOTS)
        assert [("quality", "completed", 2)] == killing.finish()
        assert ["accuracy", "completeness", "consistency", "timeliness"] == running.run(SNAPSHOTS)
        assert (2, 1, 1) == killing.attempts("data_sync")


class TestPool:
    """Only the child that works is killed, as by a kernel that is out of memory: the worker itself lives on."""

    def test(self, killing: Killing, tmp_path: Path) -> None:
        running, mark = killing.service, tmp_path / "mark"
        running.run("detection.request(customer, datetime.date(2025, 6, 29))")
        with running.worker(PAUSE_AFTER='INSERT INTO "upstream_driftevent"', PAUSE_MARK=str(mark)) as worker:
            child = wait_until(lambda: mark.exists() and mark.read_text(), worker.log)
            os.kill(int(child), signal.SIGKILL)
            wait_until(killing.ended, lambda: (killing.jobs(), worker.log()))
        job = killing.jobs()[0]
        assert ("detect", "completed", 2) == (job["name"], job["status"], job["attempts"])
        assert (2, 1, 1) == killing.attempts("drift_detection")


class TestLog:
    """What is wrong with a file is told in words out of it: to the customer, and not to the worker's log."""

    def test(self, killing: Killing, tmp_path: Path) -> None:
        running, claims = killing.service, tmp_path / "claims.csv"
        lines = (running.directory / f"{NEW}.csv").read_text().splitlines()[:2000]
        claims.write_text("\n".join([*lines, "planted" * 20_000, ""]))
        running.run(RECEIVE, who=NEW, path=str(claims))
        with running.worker() as worker:
            wait_until(killing.ended, worker.log)
        error = running.run("tell(ClaimBatch.objects.order_by('-pk').values_list('error', flat=True)[0])")
        assert "planted" in error
        assert "FileRejected" in worker.log()
        assert "planted" not in worker.log()
