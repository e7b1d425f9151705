"""The pages as a real Prometheus reads them."""

from __future__ import annotations

import http.server
import json
import math
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry.exposition import Format, Renderer, choose
from telemetry.samples import FamilySamples, HistogramValue
from telemetry.tests.exposition.families import as_metric, counter, gauge, some_families

pytestmark = pytest.mark.slow

CLASHING = [counter("clash_total", ((), 1.0)), gauge("clash", ((), 2.0)), gauge("own_total", ((), 3.0))]
FAMILIES = [*some_families(1, exemplars=True), *CLASHING]
CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
- {{job_name: text, metrics_path: /text, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
- {{job_name: negotiated, metrics_path: /, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
"""


class Pages(http.server.BaseHTTPRequestHandler):
    renderer = Renderer()

    def do_GET(self) -> None:
        format_ = Format.TEXT if self.path == "/text" else choose(self.headers["Accept"])
        self.send_response(200)
        self.send_header("Content-Type", format_)
        self.end_headers()
        self.wfile.write(self.renderer.render(FAMILIES, format_))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that has scraped both pages."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("prometheus is not installed")
    directory: Path = tmp_path_factory.mktemp("prometheus")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as pages, socket.socket() as free:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()
        config = directory / "prometheus.yml"
        config.write_text(CONFIG.format(port=pages.server_port))
        process = subprocess.Popen(
            [
                binary,
                f"--config.file={config}",
                f"--storage.tsdb.path={directory}",
                f"--web.listen-address={address}",
                "--enable-feature=exemplar-storage",
                "--log.level=error",
            ]
        )
        try:
            _wait_for_scrapes(address)
            yield address
        finally:
            process.terminate()
            process.wait(10)
            pages.shutdown()


def _wait_for_scrapes(address: str) -> None:
    for _ in range(120):
        time.sleep(0.25)
        try:
            targets = get(address, "targets")["activeTargets"]
        except OSError:
            continue
        if len(targets) == 2 and all(target["health"] != "unknown" for target in targets):
            assert ["", ""] == [target["lastError"] for target in targets]
            return
    pytest.fail("Prometheus did not scrape within 30 s")


def get(address: str, what: str, **parameters: str) -> Any:
    with urllib.request.urlopen(f"http://{address}/api/v1/{what}?{urllib.parse.urlencode(parameters)}") as answer:
        return json.load(answer)["data"]


class TestPrometheus:
    @pytest.mark.parametrize("job", ["text", "negotiated"])
    def test_reads_every_sample(self, prometheus: str, job: str) -> None:
        found = get(prometheus, "query", query=f'{{job="{job}",__name__=~"family_.*|clash.*|own_total"}}')["result"]
        stored = {_series(sample["metric"]): _comparable(sample["value"][1]) for sample in found}
        expected = {
            _series({"__name__": sample.name, **sample.labels}): _comparable(sample.value)
            for samples in FAMILIES
            for sample in as_metric(samples, created=job == "negotiated").samples
        }
        assert expected == stored

    def test_reads_every_exemplar(self, prometheus: str) -> None:
        found = get(
            prometheus, "query_exemplars", query='{job="negotiated"}', start="1600000000", end=str(time.time() + 60)
        )
        ids = {exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]}
        assert {f"{trace_id:032x}" for samples in FAMILIES for trace_id in _trace_ids(samples)} == ids


def _series(labels: dict[str, str]) -> frozenset[tuple[str, str]]:
    """Prometheus takes an empty label for none, and adds `job` and `instance`."""
    return frozenset((name, value) for name, value in labels.items() if value and name not in ("job", "instance"))


def _comparable(value: str | float) -> float | str:
    return "NaN" if math.isnan(float(value)) else float(value)


def _trace_ids(samples: FamilySamples) -> set[int]:
    values = (value for _, value in samples.series if isinstance(value, HistogramValue))
    return {exemplar.trace_id for value in values for exemplar in value.exemplars.values()}
