"""Two workers, of which one is killed or loses a process at random, again and again: every job is done, and once."""

from __future__ import annotations

import contextlib
import http.server
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from telemetry.tests.instrumentation.cache_servers import cache_server
from telemetry.tests.servers.harness import Samples, get, total
from upstream.tests.databases import empty_database
from upstream.tests.service import Service, Worker, service, wait_until

pytestmark = pytest.mark.slow

CUSTOMERS = ("mercy", "north", "south")
DRIFTS = [f"{payer}:{drift}" for payer in ("humana", "cigna") for drift in ("payment_delay", "denial_rate")]
ROWS = 2000
"""In each file; a customer has one from before, and sends another in each of the first rounds."""
FILES = 4
CHANNELS = 5
ROUNDS = 4
KILLS = 4
"""In each round, at random moments."""
REPORTS = {"payment_analysis", "denial_analysis", "quality_dashboard"}

SET_UP = """
from django.conf import settings
# What comes of the files of before is not of the rounds.
settings.UPSTREAM_DETECT_AFTER_INGESTION = False
for who in customers:
    customer = Customer.objects.get(code=who)
    ingestion.ingest_now(customer, open(f"{folder}/{who}-0.csv", "rb"), "claims.csv")
    for number in range(channels):
        AlertChannel.objects.create(
            customer=customer, channel_type="webhook", target=f"{target}{who}/{number}", secret="whsec_c2VjcmV0"
        )
"""
ASK = """
day, today = datetime.timedelta(days=1), datetime.date.today()
for who in customers:
    customer = Customer.objects.get(code=who)
    if number < files:
        ingestion.receive(customer, open(f"{folder}/{who}-{number}.csv", "rb"), "claims.csv")
    end = datetime.date(2025, 6, 30) - number * day
    detection.request(customer, end)
    for report_type in report_types:
        last = today if report_type == "quality_dashboard" else end
        reports.request(customer, report_type, last - 30 * day, last)
    jobs.enqueue("quality", customer, day=(today + number * day).isoformat())
# So that none is given up, however often it is hit.
Job.objects.update(max_attempts=1000)
"""
LAST = "tell(Job.objects.order_by('-pk').values_list('pk', flat=True).first())"
OPEN = "tell(list(Job.objects.exclude(status__in=('completed', 'failed')).values('name', 'status', 'attempts')))"
STORED = """
from pathlib import Path
from django.conf import settings
from django.db.models import Count, Sum
made = Job.objects.filter(pk__gt=after)
passes = made.filter(name="detect").annotate(found=Count("drift_events"), raised=Count("drift_events__alert"))
tell({
    "kinds": dict(made.values_list("name").annotate(Count("pk")).order_by()),
    "unfinished": list(made.exclude(status="completed").values_list("name", "status", "error_type", "error")),
    "types": {name: rest for name, *rest in
        made.values_list("job_type").annotate(Count("pk"), Sum("attempts")).order_by()},
    "batches": list(ClaimBatch.objects.values_list("status", "row_count").annotate(Count("pk")).order_by()),
    "claims": dict(Customer.objects.values_list("code").annotate(Count("claims"))),
    "events": DriftEvent.objects.count(),
    "passes": [[[job.found, job.raised], [job.result["events"], job.result["alerts"]]] for job in passes],
    "asked": passes.exclude(arguments__end=None).count(),
    "followed": dict(Customer.objects.filter(jobs__in=made.filter(name="detect", arguments__end=None))
        .values_list("code").annotate(Count("pk"))),
    "matters": list(Alert.objects.values_list(*(f"event__{name}" for name in matter))),
    "deliveries": list(AlertDelivery.objects.values_list("channel_type", "status", "message_id", "attempts")),
    "reports": list(Report.objects.values_list("report_type", "status").annotate(Count("pk")).order_by()),
    "snapshots": list(QualitySnapshot.objects.values_list("customer", "day").annotate(n=Count("pk")).order_by()),
    "uploads": [path.name for path in (Path(settings.MEDIA_ROOT) / "claims").iterdir()],
})
"""
MATTER = ("customer", "payer", "drift_type", "subject", "window_end")


@pytest.fixture(params=["sqlite", "postgresql"])
def vendor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def running(vendor: str, tmp_path: Path) -> Iterator[Service]:
    """The service, with files of claims: on SQLite with the embedded broker, on PostgreSQL with Redis."""
    with contextlib.ExitStack() as stack:
        url, environ = stack.enter_context(empty_database(vendor)), {}
        if vendor == "postgresql":
            redis = stack.enter_context(cache_server("redis-server"))
            environ = {"UPSTREAM_BROKER_URL": f"redis://{redis.address}/0"}
        running = stack.enter_context(service(tmp_path, url, **environ))
        for who in CUSTOMERS:
            claims, drifts = tmp_path / f"{who}.csv", [f"--drift={drift}" for drift in DRIFTS]
            rows = f"--rows={ROWS * FILES}"
            running.manage("generate_claims", rows, f"--customer={who}", "--register", f"--out={claims}", *drifts)
            header, *lines = claims.read_text().splitlines(keepends=True)
            for number in range(FILES):
                part = lines[number * ROWS : (number + 1) * ROWS]
                (tmp_path / f"{who}-{number}.csv").write_text("".join([header, *part]))
        # From here on there is a web worker that keeps the counts.
        assert 200 == get(running.web.port, "/")[0]
        yield running


@dataclass
class Killer:
    """Two workers; what it kills is replaced, by the worker itself or by another worker.

    `only_busy` spares the processes that wait for work: with the embedded broker, one of them holds a lock of
    billiard's meanwhile, which nobody gets any more when it is killed.
    """

    service: Service
    chance: random.Random
    only_busy: bool
    killed: Counter[str] = field(default_factory=Counter)
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _workers: list[Worker] = field(default_factory=list)

    def __enter__(self) -> Killer:
        self._workers = [self._begin(), self._begin()]
        return self

    def __exit__(self, *error: object) -> None:
        with self._stack:
            for worker in self._workers:
                worker.kill()

    def kill(self) -> None:
        """SIGKILL to a worker with all its processes, or to one of them: of its pool, or its schedule."""
        index = self.chance.randrange(2)
        if self.chance.random() < 0.35:
            self.replace(index)
            return
        found = _children(self._workers[index].process.pid)
        if self.only_busy:
            found = [pid for pid in found if _is_at_work(pid)]
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.choice(found), signal.SIGKILL)
                self.killed["processes"] += 1

    def replace(self, index: int) -> None:
        """Kill one of the workers as a whole."""
        self._workers[index].kill()
        self.killed["workers"] += 1
        self._workers[index] = self._begin()

    def log(self) -> str:
        return self._workers[0].log()[-10_000:]

    def _begin(self) -> Worker:
        return self._stack.enter_context(self.service.worker())


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_at_work(pid: int) -> bool:
    """Whether a process is on a processor just now."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "R"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Receiver:
    """A webhook that takes its time, and remembers the ids that it was sent."""

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()
        ids = self.ids

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                ids[self.headers["webhook-id"]] += 1
                self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(0.3)
                with contextlib.suppress(ConnectionError):
                    self.send_response(204)
                    self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Counts:
    """By how much the metrics have risen."""

    def __init__(self, before: Samples, after: Samples) -> None:
        self._before, self._after = before, after
        self.lost: dict[str, float] = {}

    def of(self, name: str, **labels: str) -> float:
        name = f"upstream_{name}_total"
        return total(self._after, name, **labels) - total(self._before, name, **labels)

    def check(self, stored: float, one: float, name: str, **labels: str) -> None:
        """As much is counted as is stored, but for `one` job's at most that was killed right at its commit."""
        counted = self.of(name, **labels)
        if counted != stored:
            self.lost[f"{name} {labels}"] = stored - counted
        assert 0 <= stored - counted <= one, f"{name} {labels}: {stored} are stored, {counted} counted"


def rounds(running: Service, killer: Killer) -> None:
    """Ask for work and kill, by turns; then wait until all is done."""
    for number in range(1, ROUNDS + 1):
        names = {"customers": CUSTOMERS, "folder": str(running.directory), "report_types": sorted(REPORTS)}
        running.run(ASK, number=number, files=FILES, **names)
        for _ in range(KILLS):
            time.sleep(killer.chance.uniform(0.1, 0.9))
            killer.kill()
    # The schedule of a worker may have been hit: there is one again now.
    killer.replace(0)
    wait_until(lambda: not running.run(OPEN), lambda: (running.run(OPEN), killer.log()), 120)


def check(stored: dict[str, Any], ids: Counter[str], counts: Counts) -> None:
    """Every job was done, and once; and that is what the metrics say."""
    assert [] == stored["unfinished"]
    assert len(CUSTOMERS) * (FILES - 1) == stored["kinds"]["ingest"]
    assert [["success", ROWS, len(CUSTOMERS) * FILES]] == stored["batches"]
    assert dict.fromkeys(CUSTOMERS, FILES * ROWS) == stored["claims"]
    assert [] == stored["uploads"]
    assert len(CUSTOMERS) * ROUNDS == stored["asked"]
    assert {*CUSTOMERS} == stored["followed"].keys(), "one after the files"
    assert {*stored["followed"].values()} <= {*range(1, FILES)}, "at most one after each"
    assert all(found == told for found, told in stored["passes"])
    assert sum(found for (found, _), _ in stored["passes"]) == stored["events"]
    alerts = len(stored["matters"])
    assert 0 < alerts == len({tuple(matter) for matter in stored["matters"]})
    assert {"delivered"} == {status for _, status, *_ in stored["deliveries"]}
    webhooks = {message: attempts for channel, _, message, attempts in stored["deliveries"] if channel == "webhook"}
    assert alerts * CHANNELS == len(webhooks)
    assert webhooks.keys() == ids.keys(), "a receiver sees one id for each delivery"
    assert all(ids[message] <= attempts for message, attempts in webhooks.items()), "and again where it is tried again"
    assert {(each, "completed", len(CUSTOMERS) * ROUNDS) for each in REPORTS} == set(map(tuple, stored["reports"]))
    assert [4] * len(CUSTOMERS) * ROUNDS == [number for *_, number in stored["snapshots"]]

    for name, (number, attempts) in stored["types"].items():
        counts.check(attempts, 1, "background_job_started", job_type=name)
        counts.check(number, 1, "background_job_completed", job_type=name)
        counts.check(attempts - number, 1, "background_job_failed", job_type=name, error_type="WorkerLost")
    assert counts.of("background_job_failed", error_type="WorkerLost") == counts.of("background_job_failed")
    counts.check(len(CUSTOMERS) * (FILES - 1) * ROWS, ROWS, "claim_records_ingested", status="success")
    most = max(found for (found, _), _ in stored["passes"])
    counts.check(stored["events"], most, "drift_event_detected")
    counts.check(alerts, most, "alert_created")
    counts.check(len(stored["deliveries"]), 1, "alert_delivered")
    for each in REPORTS:
        counts.check(len(CUSTOMERS) * ROUNDS, 1, "report_generated", report_type=each)
    for name in ("claim_records_ingested", "alert_failed", "report_generation_failed"):
        assert 0 == counts.of(name, **({"status": "failed"} if name.startswith("claim") else {}))


class TestRounds:
    @pytest.mark.parametrize("seed", [1])
    def test(self, running: Service, vendor: str, seed: int) -> None:
        with Receiver() as receiver:
            names = {"folder": str(running.directory), "channels": CHANNELS, "target": receiver.url}
            running.run(SET_UP, customers=CUSTOMERS, **names)
            after, before = running.run(LAST), running.scrape()
            chance, only_busy = random.Random(seed), vendor == "sqlite"
            with Killer(running, chance, only_busy) as killer:
                rounds(running, killer)
        stored, counts = running.run(STORED, after=after, matter=MATTER), Counts(before, running.scrape())
        try:
            check(stored, receiver.ids, counts)
        finally:
            # Shown where the test fails.
            print(dict(killer.killed), stored["types"], Counter(receiver.ids.values()), counts.lost)
