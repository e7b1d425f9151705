"""Spans leave a real server for an OTLP receiver when the standard variables ask for it, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from telemetry.tests.otlp import relay
from telemetry.tests.otlp.sink import Sink, sinks  # noqa: F401 - a fixture
from telemetry.tests.servers.harness import BY_METHOD, Traffic, get, gunicorn, total


@pytest.mark.parametrize("sink", ["http/protobuf"], indirect=True)
class TestExportedSpans:
    @pytest.mark.parametrize("options", [("--workers", "2"), ("--workers", "2", "--preload")], ids=["plain", "preload"])
    def test_each_request_and_query_is_a_span(self, tmp_path: Path, sink: Sink, options: tuple[str, ...]) -> None:
        with gunicorn(tmp_path, *options, env=sink.environment) as server:
            traffic = Traffic(server.port, "/database").send(20)
            assert {200: 20} == traffic.statuses
            assert 21 == total(server.scrape(), BY_METHOD)
        requests = [span for span in sink.servers() if span.name == "GET database"]
        assert 20 == len(requests)
        parents = {span.span_id for span in requests}
        queries = [span for span in sink.spans if span.is_client]
        assert queries
        assert {True} == {query.parent_id in parents for query in queries}

    def test_the_last_spans_are_flushed_when_a_worker_ends(self, tmp_path: Path, sink: Sink) -> None:
        slow = {**sink.environment, "OTEL_BSP_SCHEDULE_DELAY": "60000"}
        with gunicorn(tmp_path, "--workers", "1", env=slow) as server:
            assert 200 == get(server.port, "/ok")[0]
            assert [] == sink.spans
        assert ["GET ok"] == [span.name for span in sink.servers()]

    def test_a_receiver_that_is_away_costs_no_request(self, tmp_path: Path, sink: Sink) -> None:
        sink.turn(relay.Path.AWAY)
        with gunicorn(tmp_path, "--workers", "1", env=sink.environment) as server:
            assert {200: 20} == Traffic(server.port).send(20).statuses
            assert 21 == total(server.scrape(), BY_METHOD)

    def test_without_variables_nothing_is_sent(self, tmp_path: Path, sink: Sink) -> None:
        with gunicorn(tmp_path, "--workers", "1") as server:
            Traffic(server.port).send(5)
            assert "push.lock" not in server.files()
        assert ([], [], 0) == (sink.spans, sink.points, sink.connections)
