"""Under `opentelemetry-instrument`, which sets providers and instruments before Django is there: ours all the same."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from telemetry.tests.otlp.sink import Sink, Span, sinks  # noqa: F401 - a fixture
from telemetry.tests.servers import harness
from telemetry.tests.servers.harness import BY_METHOD, Server, Traffic, get, total

DURATION = "http_server_request_duration_seconds_count"


@contextlib.contextmanager
def instrumented_gunicorn(tmp_path: Path, *options: str, **env: str) -> Iterator[Server]:
    with harness.gunicorn(
        tmp_path,
        *options,
        before=(str(Path(sys.executable).with_name("opentelemetry-instrument")),),
        env={"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", **env},
    ) as server:
        yield server


def exporting(sink: Sink) -> dict[str, str]:
    return {
        **sink.environment,
        "DJANGO_SETTINGS_MODULE": "telemetry.tests.servers.auto_settings",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_PYTHON_DJANGO_EXCLUDED_URLS": "/metrics$",
    }


def asked(server: Server) -> list[int]:
    paths = ("/planted?token=planted", "/stream", "/ok?page=2")
    return [get(server.port, path, {"Referer": "https://planted.example/"})[0] for path in paths]


def check_ours(sink: Sink) -> dict[str, Span]:
    """Exactly the spans that `asked` makes, as ours are; the requests' by name."""
    planted, stream, ok = requests = [
        next(span for span in sink.servers() if span.name == f"GET {name}") for name in ("planted", "stream", "ok")
    ]
    assert len(requests) == len(sink.servers())
    queries = [span for span in sink.spans if span.is_client]
    assert [planted.span_id, *[stream.span_id] * 3] == sorted(
        (span.parent_id for span in queries), key=[planted.span_id, stream.span_id].index
    )
    assert {"SELECT ?, ?", "SELECT ?"} == {span.attributes["db.query.text"] for span in queries}
    assert [1, 3, 0] == [span.attributes["telemetry.db.queries"] for span in requests]
    # The request's span ends with its stream.
    assert stream.proto.end_time_unix_nano >= max(
        span.proto.end_time_unix_nano for span in queries if span.parent_id == stream.span_id
    )
    assert {"GET"} == {span.attributes["http.request.method"] for span in requests}
    assert [500, 200, 200] == [span.attributes["http.response.status_code"] for span in requests]
    assert "page=2" == ok.attributes["url.query"]
    assert [] == [name for span in sink.spans for name in span.attributes if name in ("http.method", "db.statement")]
    (work,) = (span for span in sink.spans if span.name == "work")
    assert (Status.STATUS_CODE_ERROR, "ValueError") == (work.proto.status.code, work.proto.status.message)
    assert [] == [span.name for span in sink.spans if b"planted" in without_names(span)]
    return {span.name: span for span in requests}


def without_names(span: Span) -> bytes:
    """All of a span, but for the names of our own functions and routes."""
    told = bytes(span.proto.SerializeToString())
    for name in (b"/planted", b"GET planted", b"http.route\x12\t\n\x07planted", b"in planted\n", b"auto_urls.planted"):
        told = told.replace(name, b"")
    return told


class TestOpentelemetryInstrument:
    def test_totals_are_exact_and_business_meters_reach_the_store(self, tmp_path: Path) -> None:
        with instrumented_gunicorn(tmp_path, "--workers", "3", "--preload", PREFORK_COUNT="7") as server:
            Traffic(server.port).send(300)
            samples = server.scrape()
            assert 301 == total(samples, BY_METHOD)
            assert 7 == total(samples, "prefork_total")


@pytest.mark.parametrize("sink", ["http/protobuf"], indirect=True)
class TestSpans:
    @pytest.mark.parametrize("options", [("--workers", "1"), ("--workers", "2", "--preload")], ids=["plain", "preload"])
    def test_are_ours_and_nothing_private_leaves(self, tmp_path: Path, sink: Sink, options: tuple[str, ...]) -> None:
        with instrumented_gunicorn(tmp_path, *options, **exporting(sink), HOOKS_IN_SETTINGS="1") as server:
            assert [500, 200, 200] == asked(server)
            samples = server.scrape()
        assert 3 == total(samples, DURATION) == total(samples, BY_METHOD)
        for span in check_ours(sink).values():
            status = span.attributes["http.response.status_code"]
            assert ("GET", status) == (span.attributes["hooked.method"], span.attributes["hooked.status"])
        assert 3 == sink.total("http.server.request.duration")
        assert [] == [
            point.name for point in sink.points if point.name in ("http.server.duration", "db.client.duration")
        ]

    def test_what_is_disabled_has_none(self, tmp_path: Path, sink: Sink) -> None:
        env = {
            **exporting(sink),
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "sqlite3",
            "OTEL_PYTHON_DJANGO_INSTRUMENT": "False",
        }
        with instrumented_gunicorn(tmp_path, "--workers", "1", **env) as server:
            assert [500, 200, 200] == asked(server)
        assert ["work"] == [span.name for span in sink.spans]

    def test_what_was_put_in_by_hand_is_ours_with_its_hooks(self, tmp_path: Path, sink: Sink) -> None:
        app = "telemetry.tests.servers.by_hand_app:application"
        with harness.gunicorn(tmp_path, "--workers", "1", app=app, env=exporting(sink)) as server:
            assert [500, 200, 200] == asked(server)
            assert 3 == total(server.scrape(), DURATION)
        hooked = [span.attributes["hooked.status"] for span in check_ours(sink).values()]
        assert [500, 200, 200] == hooked
