"""`opentelemetry-instrument` sets the providers before Django is there: ours adopts the one it finds."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from telemetry.tests.servers import harness
from telemetry.tests.servers.harness import BY_METHOD, Server, Traffic, total


@contextlib.contextmanager
def instrumented_gunicorn(tmp_path: Path, *options: str, **env: str) -> Iterator[Server]:
    with harness.gunicorn(
        tmp_path,
        *options,
        before=(str(Path(sys.executable).with_name("opentelemetry-instrument")),),
        env={"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", **env},
    ) as server:
        yield server


class TestOpentelemetryInstrument:
    def test_totals_are_exact_and_business_meters_reach_the_store(self, tmp_path: Path) -> None:
        with instrumented_gunicorn(tmp_path, "--workers", "3", "--preload", PREFORK_COUNT="7") as server:
            Traffic(server.port).send(300)
            samples = server.scrape()
            assert 301 == total(samples, BY_METHOD)
            assert 7 == total(samples, "prefork_total")
