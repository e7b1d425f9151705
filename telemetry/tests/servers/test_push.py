"""The metrics of several workers leave a real gunicorn as one stream a series, whichever worker pushes."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from telemetry.tests.otlp.sink import Point, Sink, sinks  # noqa: F401 - a fixture
from telemetry.tests.servers.harness import Server, Traffic, gunicorn, uvicorn

DURATION = "http.server.request.duration"
LATE = {"OTEL_METRIC_EXPORT_INTERVAL": "600000"}
"""Nothing is pushed before the end."""


def pusher(server: Server, seconds: float = 10) -> int:
    """The worker that holds the right to push."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        holders = [pid for pid in server.children() if _has_open(pid, server.store / "push.lock")]
        time.sleep(0.05)  # a loser has the file open for a moment too
        holders = [pid for pid in holders if _has_open(pid, server.store / "push.lock")]
        if len(holders) == 1:
            return holders[0]
    raise AssertionError(f"no single worker of {server.children()} has held push.lock within {seconds:g} s")


def _has_open(pid: int, path: Path) -> bool:
    try:
        return any(link.readlink() == path for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def one_stream(sink: Sink) -> list[Point]:
    """The points of the request durations, which are all of one series, resource and start."""
    ((_, points),) = sink.series(DURATION).items()
    assert 1 == len({point.start for point in points})
    return points


class TestPush:
    def test_one_stream_a_series_across_the_death_of_the_pusher(self, tmp_path: Path, sink: Sink) -> None:
        with gunicorn(tmp_path, "--workers", "4", env=sink.environment) as server:
            first = Traffic(server.port).send(200)
            sink.wait(lambda: 200 == sink.total(DURATION), "200 requests")
            killed = pusher(server)
            os.kill(killed, signal.SIGKILL)
            second = Traffic(server.port).send(200)
            sink.wait(lambda: 400 == sink.total(DURATION), "400 requests")
            assert killed != pusher(server)
        assert ({200: 200}, {200: 200}) == (first.statuses, second.statuses)
        points = one_stream(sink)
        values = [point.value for point in points]
        assert values == sorted(values)
        assert 400 == values[-1]
        assert ("s", "histogram", "cumulative") == (points[0].unit, points[0].type, points[0].temporality)
        assert {
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "http.route": "ok",
            "network.protocol.version": "1.1",
            "url.scheme": "http",
        } == points[0].attributes
        assert 1 == len({point.resource["service.instance.id"] for point in sink.points})
        assert {"gzip"} >= sink.compressions
        assert [] == [point.name for point in sink.points if point.name.startswith("django_")]

    @pytest.mark.slow
    def test_a_pusher_killed_under_traffic_costs_no_answered_request(self, tmp_path: Path, sink: Sink) -> None:
        with gunicorn(tmp_path, "--workers", "4", env=sink.environment) as server:
            with Traffic(server.port).running() as traffic:
                traffic.wait_for(100)
                for _ in range(3):
                    os.kill(pusher(server), signal.SIGKILL)
                    traffic.wait_for(100)
            answered = traffic.answered
        values = [point.value for point in one_stream(sink)]
        assert values == sorted(values)
        # a worker may die between counting a request and answering it
        assert answered <= values[-1] <= answered + traffic.broken

    @pytest.mark.parametrize(
        "options", [(), pytest.param(("--preload",), marks=pytest.mark.slow)], ids=["plain", "preload"]
    )
    def test_nothing_is_lost_at_the_end(self, tmp_path: Path, sink: Sink, options: tuple[str, ...]) -> None:
        with gunicorn(tmp_path, "--workers", "4", *options, env=sink.environment | LATE) as server:
            Traffic(server.port).send(200)
            assert [] == sink.points
            server.stop()
            assert 0 == server.process.returncode
        assert 200 == sink.total(DURATION)
        assert 200 == len([span for span in sink.servers() if span.name == "GET ok"])

    @pytest.mark.slow
    @pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "workers"])
    def test_nothing_is_lost_at_the_end_of_uvicorn(self, tmp_path: Path, sink: Sink, options: tuple[str, ...]) -> None:
        """It ends by the signal, without Python's exit hooks."""
        late = {**sink.environment, **LATE, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
        with uvicorn(tmp_path, *options, env=late) as server:
            Traffic(server.port).send(50)
            assert ([], []) == (sink.points, sink.spans)
            server.stop()
        assert 50 == sink.total(DURATION)
        assert 50 == len(sink.servers())

    @pytest.mark.slow
    def test_deltas_add_up_whoever_pushes_them(self, tmp_path: Path, sink: Sink) -> None:
        delta = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta", "OTEL_METRIC_EXPORT_INTERVAL": "100"}
        with gunicorn(tmp_path, "--workers", "2", "--max-requests", "40", env=sink.environment | delta) as server:
            Traffic(server.port).send(300)
            sink.wait(lambda: 300 == sink.total(DURATION), "300 requests")
        ((_, points),) = sink.series(DURATION).items()
        assert 300 == sum(point.value for point in points)
        assert {"delta"} == {point.temporality for point in points}
        assert len(points) > 1
        for one, other in itertools.pairwise(points):
            assert one.start < one.time <= other.start

    @pytest.mark.slow
    def test_under_opentelemetry_instrument_one_worker_speaks_for_all(self, tmp_path: Path, sink: Sink) -> None:
        with gunicorn(
            tmp_path,
            *("--workers", "3", "--preload"),
            before=(str(Path(sys.executable).with_name("opentelemetry-instrument")),),
            env={**sink.environment, "OTEL_LOGS_EXPORTER": "none", "PREFORK_COUNT": "7"},
        ) as server:
            Traffic(server.port).send(150)
            sink.wait(lambda: 150 == sink.total(DURATION), "150 requests")
        assert 150 == one_stream(sink)[-1].value
        assert {7.0} == {point.value for point in sink.points if point.name == "prefork_total"}
        assert 1 == len(sink.series("prefork_total"))

    @pytest.mark.slow
    @pytest.mark.parametrize("exporter", ["none", "prometheus"])
    def test_another_exporter_sends_nothing(self, tmp_path: Path, sink: Sink, exporter: str) -> None:
        env = {**sink.environment, "OTEL_METRICS_EXPORTER": exporter, "OTEL_METRIC_EXPORT_INTERVAL": "50"}
        with gunicorn(tmp_path, "--workers", "2", env=env) as server:
            Traffic(server.port).send(20)
            sink.wait(lambda: 20 == len(sink.servers()), "20 spans")
            assert "push.lock" not in server.files()
        assert [] == sink.points
