"""Exemplars under a real gunicorn: a page shows those of all workers, and their traces have been exported."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from telemetry.tests.otlp.sink import Sink, sinks  # noqa: F401 - a fixture
from telemetry.tests.servers.harness import Server, Traffic, get, gunicorn

VIEW = "django_http_requests_latency_seconds_by_view_method"
QUERY = "django_db_query_duration_seconds"
OPENMETRICS = {"Accept": "application/openmetrics-text"}


def exemplars(server: Server, family: str) -> set[str]:
    """The trace ids on one page, of the exemplars of this family."""
    status, page = get(server.port, "/metrics", OPENMETRICS)
    assert 200 == status
    return {
        sample.exemplar.labels["trace_id"]
        for found in text_string_to_metric_families(page.decode())  # type: ignore[no-untyped-call]
        if found.name == family
        for sample in found.samples
        if sample.exemplar
    }


@pytest.mark.parametrize("sink", ["http/protobuf"], indirect=True)
class TestExemplars:
    def test_of_a_dead_worker_are_on_the_page_of_another(self, tmp_path: Path, sink: Sink) -> None:
        with gunicorn(tmp_path, "--workers", "1", "--max-requests", "1", env=sink.environment) as server:
            # Each request has a worker of its own, which ends with it.
            assert 200 == get(server.port, "/database")[0]
            found = {family: exemplars(server, family) for family in (VIEW, QUERY)}
        (asked,) = (span for span in sink.servers() if span.name == "GET database")
        assert {VIEW: {asked.trace_id}, QUERY: {asked.trace_id}} == found

    def test_unsampled_requests_have_none(self, tmp_path: Path, sink: Sink) -> None:
        environment = {**sink.environment, "OTEL_TRACES_SAMPLER": "parentbased_always_off"}
        with gunicorn(tmp_path, "--workers", "1", env=environment) as server:
            assert {200: 3} == Traffic(server.port, "/database").send(3).statuses
            assert set() == exemplars(server, VIEW) | exemplars(server, QUERY)
