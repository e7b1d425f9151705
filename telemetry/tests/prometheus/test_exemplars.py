"""A real Prometheus stores the exemplars of requests that another worker has served than the one it scrapes,
and gives them to whoever asks what the dashboard asks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from telemetry.generate import dashboards, files
from telemetry.tests.otlp.sink import receiving
from telemetry.tests.prometheus.server import Prometheus, binary, running
from telemetry.tests.servers.harness import CHECKOUT, Traffic, get, gunicorn

pytestmark = pytest.mark.slow

_BY_VIEW = (CHECKOUT / files.DASHBOARDS / "requests_by_view.json").read_text()
ASKED = dict(dashboards.expressions(_BY_VIEW))["panel 'p95 duration', query A"].replace('view=~".*"', 'view="database"')
_CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- {{job_name: django-upstream, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
"""


def stored(prometheus: Prometheus, seconds: float = 30) -> set[str]:
    """The trace ids of the exemplars that Prometheus has of the view, as soon as it has some."""
    deadline = time.monotonic() + seconds
    while True:
        now = time.time()
        answer: list[dict[str, Any]] = prometheus.api(
            "query_exemplars", query=ASKED, start=str(now - 300), end=str(now + 60)
        )
        found = {each["labels"]["trace_id"] for series in answer for each in series["exemplars"]}
        if found:
            return found
        assert time.monotonic() < deadline, f"no exemplar in {seconds:g} s"
        time.sleep(0.25)


def test_of_a_request_that_no_living_worker_has_served(tmp_path: Path) -> None:
    binary("prometheus")
    with receiving("http/protobuf") as sink:
        with gunicorn(tmp_path, "--workers", "2", "--max-requests", "1", env=sink.environment) as server:
            # With one request a worker, no scrape is answered by the one that has served the view.
            assert 200 == get(server.port, "/database")[0]
            config = tmp_path / "prometheus.yml"
            config.write_text(_CONFIG.format(port=server.port))
            with running(config, tmp_path / "data") as prometheus:
                found = stored(prometheus)
        served = {span.trace_id for span in sink.servers() if span.name == "GET database"}
    assert 1 == len(served)
    assert served == found


def test_of_several_workers_at_once(tmp_path: Path) -> None:
    binary("prometheus")
    with receiving("http/protobuf") as sink:
        with gunicorn(tmp_path, "--workers", "2", env=sink.environment) as server:
            assert {200: 40} == Traffic(server.port, "/database").send(40).statuses
            config = tmp_path / "prometheus.yml"
            config.write_text(_CONFIG.format(port=server.port))
            with running(config, tmp_path / "data") as prometheus:
                found = stored(prometheus)
        served = {span.trace_id for span in sink.servers() if span.name == "GET database"}
    assert 40 == len(served)
    assert found <= served
