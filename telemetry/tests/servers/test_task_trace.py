"""One trace from an upload to its job, and from a detection to its deliveries, over the real service's processes."""

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

from telemetry.catalogue.export import PROJECTIONS
from telemetry.projections import evaluate_all
from telemetry.store import open_store
from telemetry.tests.otlp.sink import PROTOCOLS, Sink, Span, receiving
from telemetry.tests.servers.harness import CHECKOUT, gunicorn
from upstream.demo.client import Client
from upstream.tests.databases import empty_database
from upstream.tests.receiver import receiver
from upstream.tests.service import CUSTOMER, SETTINGS, Service

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
        assert [0.0, 0.0] == [sum(value for _, value in family.series) for family in self._lost()]

    def _lost(self) -> list[Any]:
        return evaluate_all(PROJECTIONS, open_store((), self.service.directory / "store").read())

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

    def whole(self) -> bool:
        """Whether every parent is there, and every span once."""
        ids = [span.span_id for span in self.spans]
        return len({*ids}) == len(ids) and {span.parent_id for span in self.spans} <= {"", *ids}


UPLOAD = "POST api/v1/batches/"
WEBHOOK = "AlertChannel.objects.create(customer=customer, channel_type='webhook', target={!r}, secret='whsec_c2Vj')"


class TestUpload:
    @pytest.mark.parametrize(
        ("vendor", "protocol"),
        [
            ("postgresql", "http/protobuf"),
            pytest.param("postgresql", "grpc", marks=pytest.mark.slow),
            pytest.param("sqlite", "grpc", marks=pytest.mark.slow),
        ],
    )
    def test_its_job_is_in_its_trace(self, tmp_path: Path, vendor: str, protocol: str) -> None:
        with traced(tmp_path, vendor, protocol, rows=50) as here:
            with here.working():
                job = here.client.upload(here.claims)["job"]
                assert "completed" == here.client.wait(job)["status"]
            tree, told = here.trace(UPLOAD), here.told()
        assert tree.whole()
        assert {"SELECT", "INSERT"} <= tree.queries(tree.root)
        (run,) = tree.sent(tree.root, "upstream.ingest")
        assert {"SELECT", "INSERT", "UPDATE"} <= tree.queries(run)
        with here.claims.open(newline="") as claims:
            values = {row["claim_id"] for row in csv.DictReader(claims)}
        assert 50 == len(values)
        assert [] == [value for value in values if value in told], "nothing of a claim is in a span"


PRIVATE = {"UPSTREAM_WEBHOOK_ALLOW_PRIVATE": "1"}


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
class TestDetection:
    def test_its_deliveries_are_in_its_trace(self, tmp_path: Path, protocol: str) -> None:
        with (
            receiver(503, 200) as webhook,
            traced(tmp_path, "postgresql", protocol, 9000, WEBHOOK.format(webhook.url()), **PRIVATE) as here,
        ):
            with here.working():
                client = here.client
                assert "completed" == client.wait(client.upload(here.claims)["job"])["status"]
                assert "completed" == client.wait(client.post("detections/"))["status"]
                deliveries = client.wait_for_all("alert_processing")
                assert {"completed"} == {job["status"] for job in deliveries}
            tree = here.trace("POST api/v1/detections/")
        assert tree.whole()
        (detection,) = tree.sent(tree.root, "upstream.detect")
        assert {"SELECT", "INSERT", "UPDATE"} <= tree.queries(detection)
        firsts = tree.sent(detection, "upstream.deliver")
        again = [run for first in firsts for run in tree.sent(first, "upstream.deliver")]
        assert len(deliveries) == len(firsts) > 0
        assert 1 == len(again), "what a receiver refused once"
        for run in (*firsts, *again):
            assert {"SELECT", "UPDATE"} <= tree.queries(run)


@pytest.mark.slow
class TestUnsampled:
    def test_nothing_is_recorded_on_either_side(self, tmp_path: Path) -> None:
        sampler = {"OTEL_TRACES_SAMPLER": "parentbased_always_off"}
        with traced(tmp_path, "sqlite", "http/protobuf", 50, **sampler) as here:
            with here.service.worker(OTEL_TRACES_SAMPLER="parentbased_always_on"):
                assert "completed" == here.client.wait(here.client.upload(here.claims)["job"])["status"]
            here.service.web.stop()
            assert [] == here.names()
