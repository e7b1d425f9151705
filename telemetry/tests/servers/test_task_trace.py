"""One trace from an upload to the webhooks that hear of what was found in it, over the real service's processes."""

from __future__ import annotations

import contextlib
import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry.catalogue import export
from telemetry.catalogue.db import db_catalogue
from telemetry.catalogue.http import http_catalogue
from telemetry.catalogue.tasks import task_catalogue
from telemetry.projections import evaluate_all
from telemetry.store import open_store
from telemetry.tests.otlp.sink import PROTOCOLS, Sink, Span, receiving
from telemetry.tests.servers.harness import CHECKOUT, gunicorn
from upstream.demo.client import Client
from upstream.tests.databases import empty_database
from upstream.tests.receiver import Receiver, receiver
from upstream.tests.service import CUSTOMER, SETTINGS, Service, wait_until

PREPARE = """
import django, sys
django.setup()
from django.core.management import call_command
from upstream.models import *
call_command("migrate", verbosity=0)
call_command("generate_claims", "--register", *sys.argv[1:])
customer = Customer.objects.get()
print(ApiToken.issue(customer, "a program")[1])
"""
FAMILIES = {
    projection.family.name: projection
    for projections in (
        export.PROJECTIONS,
        http_catalogue().projections,
        db_catalogue().projections,
        task_catalogue().projections,
    )
    for projection in projections
}
UNCOUNTED = ("SELECT ?", "SELECT set_config(")
"""How what Django asks a new connection or one that is used again begins: past its own cursors, where metrics count."""


class Traced:
    """The service, its customer's file of claims and program; spans are sent when a process ends, and not before."""

    def __init__(self, service: Service, sink: Sink, claims: Path, token: str) -> None:
        self.service = service
        self.claims = claims
        self.client = Client(service.web.port, token)
        self._sink = sink

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """A worker works in the block, at whose end both it and the site are told to end by SIGTERM."""
        with self.service.worker():
            yield
            assert [] == self._sink.spans
            self.service.web.process.terminate()
        assert 0 == self.service.web.process.wait(30)
        assert (0, 0) == (
            self.counted("telemetry_export_failures_total"),
            self.counted("telemetry_export_lost_total"),
        )

    def counted(self, name: str) -> float:
        """What all processes have counted: in the store, where no export has a part in it."""
        reading = open_store((), self.service.directory / "store").read()
        series: Any = evaluate_all([FAMILIES[name]], reading)[0].series
        return float(sum(value for _, value in series))

    def came(self, what: str) -> int:
        """How many spans have a name that begins so."""
        return sum(name.startswith(what) for name in self.names())

    def queries(self) -> int:
        """How many spans are of a query that the metrics count."""
        texts = (span.attributes.get("db.query.text", "") for span in self._sink.spans)
        return sum(bool(text) and not text.startswith(UNCOUNTED) for text in texts)

    def requests(self) -> int:
        """How many spans are of a request."""
        return len(self._sink.servers())

    def told(self) -> str:
        """All that is in them."""
        return "".join(str(span.proto) for span in self._sink.spans)

    def names(self) -> list[str]:
        """What has come in."""
        return [span.name for span in self._sink.spans]

    def trace(self, root: str) -> Tree:
        """The trace that this request began."""
        return Tree(self._sink.spans, root)


@contextlib.contextmanager
def traced(directory: Path, vendor: str, protocol: str, rows: int, also: str = "", **environ: str) -> Iterator[Traced]:
    """Two web workers of one preloaded application, on a database in which `also` has been done."""
    with empty_database(vendor) as url, receiving(protocol) as sink:
        own = {
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "DATABASE_URL": url or f"sqlite:///{directory}/upstream.sqlite3",
            "UPSTREAM_VAR_DIR": str(directory / "var"),
            # What is not sent when it is committed would never be done.
            "UPSTREAM_SWEEP_SECONDS": "3600",
            "UPSTREAM_RETRY_SECONDS": "0.1",
            "TELEMETRY_STORE_DIR": str(directory / "store"),
        }
        foreign = ("OTEL_", "PYTEST_", "TELEMETRY_", "DJANGO_", "UPSTREAM_")
        rest = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        claims = directory / "claims.csv"
        prepared = subprocess.run(
            [sys.executable, "-c", PREPARE + also, f"--rows={rows}", f"--customer={CUSTOMER}", f"--out={claims}"],
            cwd=CHECKOUT, env=rest | own | {"TELEMETRY_STORE_DIR": str(directory / "apart")},
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        own |= sink.environment | {"OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_METRICS_EXPORTER": "none"} | environ
        options = ("--workers=2", "--threads=2", "--preload")
        with gunicorn(directory, *options, app="hello_world.wsgi", env=own) as web:
            yield Traced(Service(directory, rest | own, web), sink, claims, prepared.stdout.split()[-1])


class Tree:
    """The spans of one trace."""

    def __init__(self, spans: list[Span], root: str) -> None:
        (self.root,) = (span for span in spans if span.name == root and not span.parent_id)
        self.spans = [span for span in spans if span.trace_id == self.root.trace_id]

    def below(self, parent: Span, name: str = "") -> list[Span]:
        """Its children, those of a name if one is given."""
        return [span for span in self.spans if span.parent_id == parent.span_id and name in (span.name, "")]

    def queries(self, parent: Span) -> set[str]:
        """The operations of the queries right below it."""
        return {span.name for span in self.below(parent) if span.is_client and "db.query.text" in span.attributes}

    def sent(self, parent: Span, task: str) -> list[Span]:
        """The runs of a task that were sent from here."""
        runs: list[Span] = []
        for sending in self.below(parent, f"apply_async/{task}"):
            runs += self.below(sending, f"run/{task}")
        return runs

    def calls(self, parent: Span) -> list[Span]:
        """The HTTP requests that were sent from here."""
        return [span for span in self.below(parent) if span.is_client and "http.request.method" in span.attributes]

    def whole(self) -> bool:
        """Whether every parent is there, and every span once."""
        ids = [span.span_id for span in self.spans]
        return len({*ids}) == len(ids) and {span.parent_id for span in self.spans} <= {"", *ids}


UPLOAD = "POST api/v1/batches/"
ROWS = 5000
"""So many that the drift in them is found."""
WEBHOOK = "AlertChannel.objects.create(customer=customer, channel_type='webhook', target={!r}, secret='whsec_c2Vj')"
PRIVATE = {"UPSTREAM_WEBHOOK_ALLOW_PRIVATE": "1"}


def finish(client: Client) -> list[dict[str, Any]]:
    """Wait for all that comes of an upload; the deliveries."""
    jobs: list[dict[str, Any]] = []
    for job_type in ("data_sync", "drift_detection", "alert_processing"):
        jobs = client.wait_for_all(job_type)
        assert [] == [job for job in jobs if job["status"] != "completed"]
    return jobs


class TestUpload:
    @pytest.mark.parametrize(
        ("vendor", "protocol"),
        [
            *(("postgresql", protocol) for protocol in PROTOCOLS),
            pytest.param("sqlite", "grpc", marks=pytest.mark.slow),
        ],
    )
    def test_is_one_trace_with_all_that_comes_of_it(self, tmp_path: Path, vendor: str, protocol: str) -> None:
        with (
            receiver(503, 200) as webhook,
            traced(tmp_path, vendor, protocol, ROWS, WEBHOOK.format(webhook.url()), **PRIVATE) as here,
        ):
            with here.working():
                here.client.upload(here.claims)
                deliveries = finish(here.client)
            tree, told = here.trace(UPLOAD), here.told()
        assert tree.whole()
        assert {"SELECT", "INSERT"} <= tree.queries(tree.root)
        (ingestion,) = tree.sent(tree.root, "upstream.ingest")
        (detection,) = tree.sent(ingestion, "upstream.detect")
        for run in (ingestion, detection):
            assert {"SELECT", "INSERT", "UPDATE"} <= tree.queries(run)
        firsts = tree.sent(detection, "upstream.deliver")
        again = [run for first in firsts for run in tree.sent(first, "upstream.deliver")]
        assert len(deliveries) == len(firsts) > 0
        assert 1 == len(again), "what the receiver refused once"
        for run in (*firsts, *again):
            assert {"SELECT", "UPDATE"} <= tree.queries(run)
        self.is_told(webhook, [call for run in (*firsts, *again) for call in tree.calls(run)])
        self.is_all(here)
        with here.claims.open(newline="") as claims:
            values = {row["claim_id"] for row in csv.DictReader(claims)}
        assert ROWS == len(values)
        assert [] == [value for value in values if value in told], "nothing of a claim is in a span"

    def is_told(self, webhook: Receiver, calls: list[Span]) -> None:
        """Each request to the receiver has named the span of that request."""
        named = [request.headers["traceparent"].split("-")[1:3] for request in webhook.requests]
        assert sorted(named) == sorted([call.trace_id, call.span_id] for call in calls) != []

    def is_all(self, here: Traced) -> None:
        """As many spans have come as the metrics, which go another way, have counted of what spans are made of."""
        assert here.counted("django_http_requests_total_by_method_total") == here.requests()
        assert here.counted("telemetry_task_sent_total") == here.came("apply_async/")
        assert here.counted("telemetry_task_started_total") == here.came("run/")
        assert here.counted("django_db_execute_total") == here.queries()


SWEEPING = {"UPSTREAM_SWEEP_SECONDS": "0.5", "UPSTREAM_JOB_LEASE_SECONDS": "2"}


@pytest.mark.slow
class TestSwept:
    """What only the sweeper sends is in the upload's trace all the same, as if the upload had sent it."""

    def test_where_the_broker_was_away(self, tmp_path: Path) -> None:
        nowhere = {"UPSTREAM_BROKER_URL": "redis://127.0.0.1:1/0"}
        with traced(tmp_path, "postgresql", "http/protobuf", 50, **nowhere) as here:
            here.client.upload(here.claims)
            with here.service.worker(1, **SWEEPING, UPSTREAM_BROKER_URL=""):
                assert [] == finish(here.client)
            here.service.web.stop()
            tree = here.trace(UPLOAD)
        self.is_joined(tree, sent=2)

    def test_where_a_worker_was_killed(self, tmp_path: Path) -> None:
        mark = tmp_path / "mark"
        pausing = {"PAUSE_AFTER": 'INSERT INTO "upstream_claim"', "PAUSE_MARK": str(mark)}
        with traced(tmp_path, "postgresql", "http/protobuf", 50) as here:
            with here.service.worker(1, **SWEEPING, **pausing) as worker:
                here.client.upload(here.claims)
                wait_until(mark.exists, worker.log)
                worker.kill()
            with here.service.worker(1, **SWEEPING):
                assert [] == finish(here.client)
            here.service.web.stop()
            tree = here.trace(UPLOAD)
        self.is_joined(tree, sent=2)

    def is_joined(self, tree: Tree, sent: int) -> None:
        assert tree.whole()
        assert sent == len(tree.below(tree.root, "apply_async/upstream.ingest"))
        (ingestion,) = tree.sent(tree.root, "upstream.ingest")
        (detection,) = tree.sent(ingestion, "upstream.detect")
        assert {"SELECT", "UPDATE"} <= tree.queries(detection)


@pytest.mark.slow
class TestUnsampled:
    def test_nothing_is_recorded_on_either_side(self, tmp_path: Path) -> None:
        sampler = {"OTEL_TRACES_SAMPLER": "parentbased_always_off"}
        with traced(tmp_path, "sqlite", "http/protobuf", 50, **sampler) as here:
            with here.service.worker(OTEL_TRACES_SAMPLER="parentbased_always_on"):
                assert "completed" == here.client.wait(here.client.upload(here.claims)["job"])["status"]
            here.service.web.stop()
            assert [] == here.names()
