"""A Prometheus that has scraped a service in which every family has counted something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from telemetry.tests.prometheus.server import Prometheus, binary, running
from telemetry.tests.servers.harness import get, gunicorn

_CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- {{job_name: django-upstream, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
"""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Two processes, scraped each second by the page's job, twice at least after all has been counted."""
    binary("prometheus")
    directory = tmp_path_factory.mktemp("full")
    environ = {
        "DJANGO_SETTINGS_MODULE": "telemetry.tests.generate.settings",
        "TEST_DATABASE": str(directory / "numbers.sqlite3"),
    }
    with gunicorn(directory, "--workers", "2", app="hello_world.wsgi", env=environ) as server:
        assert 200 == get(server.port, "/everything")[0]
        assert 500 == get(server.port, "/failing")[0]
        assert 404 == get(server.port, "/nowhere")[0]
        config = directory / "prometheus.yml"
        config.write_text(_CONFIG.format(port=server.port))
        with running(config, directory / "data") as prometheus:
            prometheus.wait_for_sample("count_over_time(up[1m]) > 2")
            yield prometheus
