"""Clients of real servers that leave in the middle: every request has one outcome, and none stays in flight."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from telemetry.tests.otlp.sink import Sink, Span, sinks  # noqa: F401 - a fixture
from telemetry.tests.servers.harness import BY_METHOD, Samples, Server, get, gunicorn, total, uvicorn

DURATION = "http_server_request_duration_seconds_count"
DONE = "django_http_responses_before_middlewares_total"
ACTIVE = "http_server_active_requests"
STATUS = "django_http_responses_total_by_status_view_method_total"
LATENCY = "django_http_requests_latency_seconds_by_view_method_count"
BY_VIEW = "django_http_requests_total_by_view_transport_method_total"
GONE = "client_disconnected"


pytestmark = pytest.mark.parametrize("sink", ["http/protobuf"], indirect=True)


def environment(sink: Sink) -> dict[str, str]:
    return {
        **sink.environment,
        "DJANGO_SETTINGS_MODULE": "telemetry.tests.servers.asgi_settings",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_PYTHON_DJANGO_EXCLUDED_URLS": "/metrics$",
    }


@pytest.fixture
def server(tmp_path: Path, sink: Sink, request: pytest.FixtureRequest) -> Iterator[Server]:
    env = environment(sink)
    if getattr(request, "param", "async") != "async":
        env["SYNC_ONLY_AT"] = "4"
    with uvicorn(tmp_path, env=env) as server:
        yield server


def leave(server: Server, request: str, after: bytes | None = None) -> None:
    """Send, wait for these bytes of the answer, or for the request to be served if there are none to come, and go."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        before = total(server.scrape(), BY_METHOD)
        client.sendall(request.replace("\n", "\r\n").encode())
        got = b""
        while after is not None and after not in got:
            got += client.recv(65_536)
        deadline = time.monotonic() + 10
        while "Content-Length" not in request and total(server.scrape(), BY_METHOD) == before:
            assert time.monotonic() < deadline, "the request has not begun"
            time.sleep(0.02)


def ended(server: Server, requests: int) -> Samples:
    """The samples, once so many requests have ended."""
    deadline = time.monotonic() + 10
    while True:
        samples = server.scrape()
        if total(samples, DONE) >= requests:
            return samples
        assert time.monotonic() < deadline, f"{total(samples, DONE)} of {requests} have ended"
        time.sleep(0.02)


def traced(sink: Sink, requests: int) -> dict[str, Span]:
    """The requests' spans by name, once so many have come in."""
    sink.wait(lambda: len(sink.servers()) >= requests, f"{requests} spans of requests")
    spans = sink.servers()
    assert requests == len({span.name for span in spans}) == len(spans), [span.name for span in spans]
    return {span.name: span for span in spans}


def is_given_up(span: Span) -> bool:
    return (Status.STATUS_CODE_ERROR, GONE) == (span.proto.status.code, span.attributes.get("error.type"))


def asking(path: str) -> str:
    return f"GET {path} HTTP/1.1\nHost: testserver\n\n"


class TestDisconnects:
    @pytest.mark.parametrize("server", ["async", "one sync middleware"], indirect=True)
    def test_five_requests_five_outcomes(self, server: Server, sink: Sink) -> None:
        leave(server, asking("/async/hanging"))
        leave(server, asking("/async/hanging/stream"), after=b"one,")
        leave(server, asking("/before-the-first-part"), after=b"\r\n\r\n")
        leave(server, asking("/endless"), after=b"x" * 1000)
        leave(server, asking("/sync-hanging"))
        samples, spans = ended(server, 5), traced(sink, 5)
        assert 5 == total(samples, BY_METHOD)
        assert 5 == total(samples, DONE)
        assert 5 == total(samples, DURATION)
        assert 5 == total(samples, DURATION, error_type=GONE)
        assert 0 == total(samples, ACTIVE)
        assert 5 == total(samples, BY_VIEW)
        # What had been answered when its client left has a status; the others have none.
        for path in ("async/hanging/stream", "before-the-first-part", "endless"):
            view = path.removeprefix("async/").replace("/", "-")
            assert 1 == total(samples, STATUS, view=view, status="200"), view
            assert 1 == total(samples, LATENCY, view=view), view
            assert 1 == total(samples, DURATION, http_route=path, http_response_status_code="200"), path
            assert 200 == spans[f"GET {path}"].attributes["http.response.status_code"], path
        for path in ("async/hanging", "sync-hanging"):
            assert 1 == total(samples, DURATION, http_route=path, http_response_status_code=""), path
            assert path == spans[f"GET {path}"].attributes["http.route"]
            assert "http.response.status_code" not in spans[f"GET {path}"].attributes, path
        assert dict.fromkeys(spans, True) == {name: is_given_up(span) for name, span in spans.items()}

    def test_one_that_does_not_read_is_in_flight_until_it_leaves(self, server: Server) -> None:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            client.sendall(asking("/endless").replace("\n", "\r\n").encode())
            client.recv(100)
            samples = server.scrape()
            assert (1, 0) == (total(samples, ACTIVE), total(samples, DONE))
        samples = ended(server, 1)
        assert (0, 1) == (total(samples, ACTIVE), total(samples, DURATION, error_type=GONE))

    def test_an_upload_that_breaks_off_is_no_request(self, server: Server) -> None:
        leave(server, "POST /echo HTTP/1.1\nHost: testserver\nContent-Length: 1000\n\nten bytes.")
        assert 200 == get(server.port, "/ok")[0]
        samples = ended(server, 1)
        assert 1 == total(samples, BY_METHOD)
        assert 0 == total(samples, ACTIVE)

    def test_one_that_leaves_when_all_is_sent_is_served(self, server: Server, sink: Sink) -> None:
        leave(server, asking("/ok"), after=b"ok")
        samples = ended(server, 1)
        assert 1 == total(samples, DURATION, error_type="", http_response_status_code="200")
        assert not is_given_up(traced(sink, 1)["GET ok"])


class TestDisconnectsUnderWsgi:
    def test_in_the_middle_of_a_stream(self, tmp_path: Path, sink: Sink) -> None:
        with gunicorn(tmp_path, "--workers", "1", "--threads", "2", env=environment(sink)) as server:
            leave(server, asking("/sync-iterator"), after=b"part")
            samples = ended(server, 1)
            assert 1 == total(samples, DURATION, error_type=GONE, http_response_status_code="200")
            assert 0 == total(samples, ACTIVE)
        assert is_given_up(traced(sink, 1)["GET sync-iterator"])
