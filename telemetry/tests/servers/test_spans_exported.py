"""Spans leave a real server for an OTLP receiver when the standard variables ask for it, and only then."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from telemetry.tests.servers.harness import BY_METHOD, Traffic, get, gunicorn, total


class Receiver:
    """An OTLP/HTTP receiver for traces on a free loopback port."""

    def __init__(self) -> None:
        receiver = self
        self.spans: list[Span] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        receiver.spans.extend(scope.spans)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.server.server_port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_SERVICE_NAME": "spans",
        }

    def requests(self, count: int, seconds: float = 15) -> list[Span]:
        """The request spans, once there are as many as expected."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = [span for span in self.spans if span.kind == Span.SPAN_KIND_SERVER]
            if len(found) >= count:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{len(self.spans)} spans after {seconds} s: {[span.name for span in self.spans]}")

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()


class TestExportedSpans:
    @pytest.mark.parametrize("options", [("--workers", "2"), ("--workers", "2", "--preload")], ids=["plain", "preload"])
    def test_each_request_and_query_is_a_span(
        self, tmp_path: Path, receiver: Receiver, options: tuple[str, ...]
    ) -> None:
        with gunicorn(tmp_path, *options, env=receiver.environment) as server:
            traffic = Traffic(server.port, "/database").send(20)
            assert {200: 20} == traffic.statuses
            spans = receiver.requests(20)
            assert 21 == total(server.scrape(), BY_METHOD)
        assert {"GET database"} == {span.name for span in spans[:20]}
        parents = {span.span_id for span in spans}
        queries = [span for span in receiver.spans if span.kind == Span.SPAN_KIND_CLIENT]
        assert queries
        assert {True} == {query.parent_span_id in parents for query in queries}

    def test_the_last_spans_are_flushed_when_a_worker_ends(self, tmp_path: Path, receiver: Receiver) -> None:
        slow = {**receiver.environment, "OTEL_BSP_SCHEDULE_DELAY": "60000"}
        with gunicorn(tmp_path, "--workers", "1", env=slow) as server:
            assert 200 == get(server.port, "/ok")[0]
        assert 1 == len(receiver.requests(1))

    def test_a_receiver_that_is_away_costs_no_request(self, tmp_path: Path, receiver: Receiver) -> None:
        away = {**receiver.environment, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
        with gunicorn(tmp_path, "--workers", "1", env=away) as server:
            assert {200: 20} == Traffic(server.port).send(20).statuses
            assert 21 == total(server.scrape(), BY_METHOD)

    def test_without_variables_nothing_is_sent(self, tmp_path: Path, receiver: Receiver) -> None:
        with gunicorn(tmp_path, "--workers", "1") as server:
            Traffic(server.port).send(5)
        assert [] == receiver.spans
