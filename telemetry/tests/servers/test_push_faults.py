"""A receiver that is away, refuses, hangs or cuts connections: no request waits, losses are counted, all goes on."""

from __future__ import annotations

from pathlib import Path as Directory

import pytest

from telemetry.catalogue.export import FAILED, LOST, METRICS, SPANS
from telemetry.store import open_store
from telemetry.tests.otlp.faults import FAULTS, mend
from telemetry.tests.otlp.sink import Sink, sinks  # noqa: F401 - a fixture
from telemetry.tests.servers.harness import Server, Traffic, gunicorn

DURATION = "http.server.request.duration"

ROOM, BATCH = 40, 20
BRIEF = {"OTEL_EXPORTER_OTLP_TIMEOUT": "0.7"}
"""Exporters give up before they would ask again, which is after 0.8 seconds: what is asked in the last moment may
arrive without being acknowledged, and is then counted as lost too."""
NARROW = {"OTEL_BSP_MAX_QUEUE_SIZE": str(ROOM), "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": str(BATCH)}


def counted(server: Server, record: str) -> dict[tuple[object, ...], float]:
    """A record of the service, by key."""
    tables = open_store((), server.store).read().tables
    return {key: cells[0] for key, cells in tables[record].series().items()} if record in tables else {}


@pytest.mark.slow
class TestFaults:
    @pytest.mark.parametrize("fault", FAULTS)
    def test_requests_go_on_losses_are_counted_and_it_recovers(
        self,
        tmp_path: Directory,
        sink: Sink,
        fault: str,
    ) -> None:
        FAULTS[fault](sink)
        with gunicorn(tmp_path, "--workers", "2", env={**sink.environment, **BRIEF, **NARROW}) as server:
            traffic = Traffic(server.port).send(300)
            assert ({200: 300}, []) == (traffic.statuses, sink.spans)

            def failures() -> dict[tuple[object, ...], float]:
                return counted(server, FAILED.name)

            sink.wait(lambda: failures().get((SPANS,), 0) > 0 and failures().get((METRICS,), 0) > 0, "failures")
            mend(sink)
            Traffic(server.port).send(10)
            sink.wait(lambda: 310 == sink.total(DURATION), "310 requests, none of them lost to the metrics")
            server.stop()
            lost = counted(server, LOST.name)
        assert {SPANS} == {signal for signal, _ in lost}
        assert 310 == len(sink.servers()) + sum(lost.values())
        # of the 300, no more were kept than two workers have room for, beside a batch under way in each
        assert 10 <= len(sink.servers()) <= 10 + 2 * (ROOM + BATCH)

    @pytest.mark.parametrize("fault", FAULTS)
    def test_requests_are_answered_while_an_export_is_under_way(
        self,
        tmp_path: Directory,
        sink: Sink,
        fault: str,
    ) -> None:
        """Exports are tried for ten minutes here: had a request to wait for one, it would have no answer."""
        endless = {"OTEL_EXPORTER_OTLP_TIMEOUT": "600"}
        FAULTS[fault](sink)
        with gunicorn(tmp_path, "--workers", "2", env={**sink.environment, **endless, **NARROW}) as server:
            with Traffic(server.port).running() as traffic:
                traffic.wait_for(300)
            assert {} == counted(server, FAILED.name)
            lost = counted(server, LOST.name)
        assert ({200: traffic.answered}, 0) == (traffic.statuses, traffic.broken)
        assert {(SPANS, "queue_full")} == set(lost)
        assert traffic.answered - 2 * (ROOM + BATCH) <= sum(lost.values())

    @pytest.mark.parametrize("fault", FAULTS)
    def test_a_process_ends_and_counts_what_it_has_not_told(
        self,
        tmp_path: Directory,
        sink: Sink,
        fault: str,
    ) -> None:
        late = {"OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_METRIC_EXPORT_INTERVAL": "600000"}
        FAULTS[fault](sink)
        with gunicorn(tmp_path, "--workers", "2", env={**sink.environment, **late}) as server:
            assert {200: 20} == Traffic(server.port).send(20).statuses
            server.stop()
            assert 0 == server.process.returncode  # it was not killed after the harness's 20 s
            lost = counted(server, LOST.name)
        assert 20 == sum(lost.values())
        assert ([], []) == (sink.spans, sink.points)
