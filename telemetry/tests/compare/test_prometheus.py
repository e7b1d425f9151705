"""The label sets that we take an expression to find on a page, and those that a real Prometheus finds there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import promql_parser
import pytest

from telemetry.compare.asked import VARIABLE
from telemetry.compare.fetch import fetch
from telemetry.compare.page import Page, Series, parse
from telemetry.compare.promql import Evaluation, Fact
from telemetry.compare.world import TARGET, World
from telemetry.tests.prometheus.server import Prometheus, QueryError, binary, running

VIEWS = "django_http_requests_latency_seconds_by_view_method"
STATUS = "django_http_responses_total_by_status_view_method_total"
REQUESTS = "django_http_requests_total_by_view_transport_method_total"
EXPRESSIONS = [
    STATUS,
    "nothing_total",
    f'{STATUS}{{status=~"5..", view!="boom"}}',
    f'{STATUS}{{status!~"2..|3..", view=~"b.*|"}}',
    f'{STATUS}{{nothing=""}}',
    f'{STATUS}{{nothing!=""}}',
    f'{STATUS}{{status="2"}}',
    f'{STATUS}{{view="ok", status="500"}}',
    '{__name__=~"django_http_.*_by_status_.*total", status="404"}',
    f"rate({STATUS}[1m])",
    f"max_over_time({STATUS}[1m:1s])",
    f"-({STATUS})",
    f"sum by (view, nothing) ({STATUS})",
    f"sum without (view, method) ({STATUS})",
    f"count_values by (status) ('number', {STATUS})",
    f"count_values without (status, method) ('number', {STATUS})",
    f"topk by (status) (100, {STATUS})",
    f"histogram_quantile(0.9, sum by (view, le) ({VIEWS}_bucket))",
    f"histogram_quantile(0.9, sum by (view) ({VIEWS}_bucket))",
    f'{VIEWS}_bucket{{le="0.5"}}',
    f'{VIEWS}_bucket{{le="0.50"}}',
    f"sum by (view, method) ({STATUS}) / sum by (view, method) ({REQUESTS})",
    f"sum without (status) ({STATUS}) / {REQUESTS}",
    f"sum without (status) ({STATUS}) / ignoring (le) {VIEWS}_bucket{{le='+Inf'}}",
    f"sum by (view, method) ({STATUS}) * ignoring (transport) group_right () {REQUESTS}",
    f"{STATUS} / on (view, method) group_left () {VIEWS}_count",
    f"sum by (view) ({STATUS}) * on (view) group_right () {REQUESTS}",
    f"sum by (view) ({STATUS}) / on (view) sum by (view) ({VIEWS}_count) unless vector(1)",
    f'{STATUS} and on (view) {STATUS}{{status="500"}}',
    f"{STATUS} and {REQUESTS}",
    f'{STATUS} or {REQUESTS}{{view="ok"}}',
    "sum(nothing_total) or vector(0)",
    f'label_replace({STATUS}, "made", "x", "", "")',
    f"scalar(sum({STATUS})) + {REQUESTS}",
    "vector(1) + on () sum(nothing_total)",
    "absent(nothing_total)",
    "count(up) == 1",
    "time() - process_start_time_seconds",
]


class _Quiet(SimpleHTTPRequestHandler):
    extensions_map = {"": "text/plain; version=0.0.4"}

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def known(ours: str, tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = tmp_path_factory.mktemp("served") / "metrics"
    path.write_text(ours)
    return parse(str(path), fetch(str(path)))


@pytest.fixture(scope="module")
def prometheus(known: Page, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    binary("prometheus")
    handler = partial(_Quiet, directory=str(Path(known.source).parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        directory = tmp_path_factory.mktemp("prometheus")
        config = directory / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
            f'scrape_configs: [{{job_name: a, static_configs: [{{targets: ["127.0.0.1:{server.server_port}"]}}]}}]\n'
        )
        try:
            with running(config, directory / "data") as prometheus:
                # Steps of a subquery are at whole seconds, of which none may have passed since the first scrape.
                prometheus.wait_for_sample("count_over_time(up[1m:1s]) > 1 and count_over_time(up[1m]) > 1")
                yield prometheus
        finally:
            server.shutdown()
            thread.join()


def find(expression: str, page: Page) -> tuple[set[Series], list[Fact]]:
    evaluation = Evaluation(World.of(page, "NEW", TARGET))
    answer = evaluation.answer(promql_parser.parse(expression))
    assert answer is not None
    return answer, evaluation.facts


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_finds_what_prometheus_finds(expression: str, known: Page, prometheus: Prometheus) -> None:
    answer, _ = find(expression, known)
    free = {name for series in answer for name, value in series if value == VARIABLE}
    theirs = {
        frozenset((name, VARIABLE if name in free else value) for name, value in sample.labels.items())
        for sample in prometheus.query(expression)
    }
    assert {frozenset(pair for pair in series if pair[0] != "__name__") for series in theirs} == answer


@pytest.mark.parametrize(
    "expression",
    [
        f"{STATUS} / on (view, method) group_left () {REQUESTS}",
        f"{REQUESTS} / on (view, method) sum by (view, method) ({STATUS})",
        f"sum by (view) ({STATUS}) / on (view) group_right () {REQUESTS}",
        f"{STATUS} / on (view) group_right () {REQUESTS}",
        f"sum by (view) ({STATUS}) / on (view) {VIEWS}_count",
    ],
)
def test_refuses_what_prometheus_refuses(expression: str, known: Page, prometheus: Prometheus) -> None:
    try:
        prometheus.query(expression)
        refused = False
    except QueryError as error:
        refused = True
        assert "matching" in str(error)
    _, facts = find(expression, known)
    assert refused == any("several series of a side" in fact.problem for fact in facts)
