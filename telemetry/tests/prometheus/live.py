"""The fixture `prometheus`: a real one that scrapes the product at work, once a test session."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from telemetry.tests.prometheus.server import Prometheus, binary, running
from telemetry.tests.prometheus.upstream_service import upstream_service, work
from telemetry.tests.servers.harness import CHECKOUT

RULES = CHECKOUT / "docs" / "prometheus"
JOB = "django-upstream"
LONG_NAMES_JOB = "django-upstream-long-names"
"""The same service as if `TELEMETRY_SHORT_NAMES` were off: the short names are dropped on their way in."""

_CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}/*_rules.yml"]
scrape_configs:
- {{job_name: {job}, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
- job_name: {long_names_job}
  static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
  metric_relabel_configs:
  - source_labels: [__name__]
    regex: django_http_requests_total|django_http_responses_total_by_status|django_http_requests_latency_seconds_.*
    action: drop
"""


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus with the rules of `docs/prometheus`, that has scraped the product before, while and after a file
    is ingested, detection is run and things go wrong; a few requests a second go on."""
    binary("prometheus")
    directory = tmp_path_factory.mktemp("prometheus")
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(upstream_service(directory))
        config = directory / "prometheus.yml"
        port = service.server.port
        config.write_text(_CONFIG.format(rules=RULES, port=port, job=JOB, long_names_job=LONG_NAMES_JOB))
        found = stack.enter_context(running(config, directory / "data"))
        stack.enter_context(_pulse(port, service.token))
        for job in (JOB, LONG_NAMES_JOB):
            found.wait_for_sample(f'count_over_time(up{{job="{job}"}}[1m]) > 1')
        work(service, directory)
        # What the work left must have been scraped twice: a rate needs two samples.
        last = 'count_over_time(upstream_background_job_failed_total{{job="{}"}}[1m]) > 2'
        for job in (JOB, LONG_NAMES_JOB):
            found.wait_for_sample(last.format(job))
        yield found


@contextlib.contextmanager
def _pulse(port: int, token: str) -> Iterator[None]:
    command = [sys.executable, "-m", "telemetry.tests.prometheus.pulse", str(port), token]
    process = subprocess.Popen(command, cwd=CHECKOUT)
    try:
        yield
        assert process.poll() is None, "the requests in the background have ended"
    finally:
        process.terminate()
        process.wait(20)
