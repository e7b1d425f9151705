"""The product at work, as a real Prometheus sees it: names, rules, short forms, and the lint of the page."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from telemetry import runtime
from telemetry.tests.prometheus import promtool, rules
from telemetry.tests.prometheus.live import JOB, LONG_NAMES_JOB
from telemetry.tests.prometheus.server import Prometheus, QueryError
from telemetry.tests.prometheus.upstream_service import ATTEMPTS, ROWS
from telemetry.tests.servers.harness import get, gunicorn, parse

SHORT_FORMS = [
    "rate(django_http_requests_total[5m])",
    'rate(django_http_responses_total_by_status{status=~"5.."}[5m])',
    "histogram_quantile(0.95, rate(django_http_requests_latency_seconds_bucket[5m]))",
    "rate(upstream_alert_created_total[1h])",
]
"""What operators type, to the letter."""

SAME = [
    ("django_http_requests_total", "django_http_requests_total_by_method_total"),
    ("django_http_responses_total_by_status", "django_http_responses_total_by_status_total"),
    *(
        (
            f"django_http_requests_latency_seconds_{part}",
            f"django_http_requests_latency_including_middlewares_seconds_{part}",
        )
        for part in ("bucket", "sum", "count")
    ),
]


class TestPrometheus:
    """That the helpers tell apart what is there, what is not, and what is no PromQL."""

    def test_query(self, prometheus: Prometheus) -> None:
        assert [1.0] == [sample.value for sample in prometheus.query(f'max_over_time(up{{job="{JOB}"}}[1m])')]
        assert [] == prometheus.query("no_such_metric")
        assert [2.0] == [sample.value for sample in prometheus.query("scalar(vector(2))")]
        with pytest.raises(QueryError, match="parse error"):
            prometheus.query("sum(up")
        with pytest.raises(QueryError, match="many-to-many"):
            prometheus.query("up + on () up")

    def test_wait_for_sample(self, prometheus: Prometheus) -> None:
        before = time.time()
        assert prometheus.wait_for_sample(f'timestamp(up{{job="{JOB}"}}) > {before}')
        with pytest.raises(AssertionError, match="no series in 0 s: no_such_metric"):
            prometheus.wait_for_sample("no_such_metric", seconds=0)

    def test_parses(self, prometheus: Prometheus) -> None:
        assert prometheus.parses("rate(no_such_metric[5m])")
        assert not prometheus.parses("rate(no_such_metric)")


class TestTheProduct:
    def test_its_work_is_counted(self, prometheus: Prometheus) -> None:
        ingested = prometheus.wait_for_sample(f'sum(upstream_claim_records_ingested_total{{job="{JOB}"}})')
        assert [ROWS + 2] == [sample.value for sample in ingested]
        (failed,) = prometheus.wait_for_sample(f'upstream_background_job_failed_total{{job="{JOB}"}}')
        assert ("drift_detection", "OperationalError", ATTEMPTS) == (
            failed.labels["job_type"],
            failed.labels["error_type"],
            failed.value,
        )

    def test_promtool_finds_no_fault_with_its_page(self, prometheus: Prometheus) -> None:
        assert set() == promtool.lint(_page(prometheus, "text/plain"))

    def test_its_page_has_the_same_names_in_both_formats(self, prometheus: Prometheus) -> None:
        text = {name for name, _ in parse(_page(prometheus, "text/plain").decode())}
        page = _page(prometheus, "application/openmetrics-text").decode()
        openmetrics = text_string_to_metric_families(page)  # type: ignore[no-untyped-call]
        names = {sample.name for family in openmetrics for sample in family.samples}
        assert text == {name for name in names if not name.endswith("_created")}


class TestRules:
    def test_prometheus_evaluates_every_one(self, prometheus: Prometheus) -> None:
        found = [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]
        names = {rule.record or rule.alert for rule in [*rules.read(rules.RECORDING), *rules.read(rules.ALERTS)]}
        assert names == {rule["name"] for rule in found}
        assert {("ok", "")} == {(rule["health"], rule.get("lastError", "")) for rule in found}

    @pytest.mark.parametrize("rule", rules.read(rules.ALERTS), ids=lambda rule: rule.alert)
    def test_every_alert_has_something_to_watch(self, prometheus: Prometheus, rule: rules.Rule) -> None:
        assert prometheus.wait_for_sample(rules.without_thresholds(rule.expression))

    @pytest.mark.parametrize("rule", rules.read(rules.RECORDING), ids=lambda rule: rule.record)
    def test_every_rule_records(self, prometheus: Prometheus, rule: rules.Rule) -> None:
        assert prometheus.wait_for_sample(f'{rule.record}{{derived="rule"}}')

    def test_the_failed_job_fires(self, prometheus: Prometheus) -> None:
        assert prometheus.wait_for_sample(
            f'ALERTS{{alertname="JobFailures", alertstate="firing", job="{JOB}", job_type="drift_detection"}}'
        )


class TestShortNames:
    @pytest.mark.parametrize("expression", SHORT_FORMS)
    def test_the_short_forms_return_data_with_the_setting_and_with_the_rules(
        self, prometheus: Prometheus, expression: str
    ) -> None:
        jobs = [JOB, LONG_NAMES_JOB]
        for job in jobs:
            prometheus.wait_for_sample(f'({expression}) and on (job) up{{job="{job}"}}')
        found = [sample.labels["job"] for sample in prometheus.query(expression)]
        assert jobs == sorted(set(found))
        assert found.count(JOB) == found.count(LONG_NAMES_JOB), "nothing stands twice"

    @pytest.mark.parametrize(("short", "long"), SAME)
    def test_each_shows_what_the_long_name_shows(self, prometheus: Prometheus, short: str, long: str) -> None:
        short, long = (f'{name}{{job="{JOB}"}}' for name in (short, long))
        # One evaluation, at one scrape: every series of either name equals one of the other.
        assert prometheus.wait_for_sample(f"count({short} == {long}) == count({short}) == count({long})", seconds=20)

    def test_where_they_are_exported_nothing_is_recorded(self, prometheus: Prometheus) -> None:
        assert prometheus.wait_for_sample(f'{{derived="rule", job="{LONG_NAMES_JOB}"}}')
        assert [] == prometheus.query(f'last_over_time({{derived="rule", job="{JOB}"}}[1h])')

    def test_readers_of_the_meter_provider_see_the_long_names_only(self) -> None:
        assert runtime.get().config.short_names
        families = {metric.name for metric in REGISTRY.collect()}
        assert "django_http_requests_total_by_method" in families
        assert families.isdisjoint({"django_http_requests", "django_http_requests_latency_seconds"})

    def test_a_service_that_does_not_ask_for_them_shows_none(self, tmp_path: Path) -> None:
        with gunicorn(tmp_path, "--workers", "1") as server:
            assert 200 == get(server.port, "/ok")[0]
            samples = server.scrape()
        names = {name for name, _ in samples}
        assert {long for _, long in SAME} <= names
        assert names.isdisjoint(short for short, _ in SAME)


def _page(prometheus: Prometheus, accept: str) -> bytes:
    """The page of the service that is scraped."""
    target = next(target for target in prometheus.api("targets")["activeTargets"] if target["labels"]["job"] == JOB)
    port = int(target["labels"]["instance"].rpartition(":")[2])
    status, body = get(port, "/metrics", {"Accept": accept})
    assert status == 200
    return body
