"""What the page and the dashboards ask, asked of real Prometheuses: one that scrapes a service in which every family
has counted something, and one that scrapes the product at its work."""

from __future__ import annotations

from pathlib import Path

import pytest

from telemetry.generate import dashboards, files, page
from telemetry.generate.families import Section, entries
from telemetry.spec import FamilyType
from telemetry.tests.business.harness import FAMILIES
from telemetry.tests.prometheus.server import Prometheus
from telemetry.tests.servers.harness import CHECKOUT

PAGE = list(page.expressions((CHECKOUT / files.PAGE).read_text()))
DASHBOARDS = sorted((CHECKOUT / files.DASHBOARDS).glob("*.json"))
QUIET = {
    "upstream_alert_failed_total",
    "upstream_api_rate_limit_hit_total",
    "upstream_report_generated_total",
    "upstream_report_generation_failed_total",
    "upstream_report_generation_seconds",
}
"""The business families that the product at its work, as the tests have it, does not count."""

on_the_page = pytest.mark.parametrize(
    "expression", [expression for _, expression in PAGE], ids=[f"line {line}" for line, _ in PAGE]
)


class TestEveryFamilyCounting:
    @on_the_page
    def test_the_page_has_answers(self, full: Prometheus, expression: str) -> None:
        assert full.query(expression)

    @pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
    def test_a_dashboard_has_answers(self, full: Prometheus, path: Path) -> None:
        asked = list(dashboards.expressions(path.read_text()))
        assert asked
        assert [] == [(place, expression) for place, expression in asked if not full.query(expression)]

    def test_a_name_that_does_not_exist_has_none(self, full: Prometheus) -> None:
        assert [] == full.query("rate(django_http_requests_total_total[5m])")


class TestTheProductAtWork:
    @on_the_page
    def test_the_page_has_answers(self, prometheus: Prometheus, expression: str) -> None:
        # It runs its jobs without a worker.
        if not any(name in expression for name in (*QUIET, "telemetry_task")):
            assert prometheus.query(expression)

    def test_rare_events_are_counted_from_the_first(self, prometheus: Prometheus) -> None:
        text = (CHECKOUT / files.PAGE).read_text().partition("### Counting rare events")[2]
        _, counting = next(page.expressions(text))
        assert " unless upstream_alert_created_total offset 1d" in counting
        counted = {sample.labels["product"]: sample.value for sample in prometheus.query(counting)}
        values = prometheus.query("sum by (product) (upstream_alert_created_total)")
        assert counted == {sample.labels["product"]: sample.value for sample in values}
        assert sum(counted.values()) > 0

    def test_the_families_that_are_quiet(self, prometheus: Prometheus) -> None:
        families = [entry.family for entry in entries()[Section.BUSINESS] if entry.family.name in FAMILIES]
        samples = {
            family.name: f"{family.name}_count" if family.type is FamilyType.HISTOGRAM else family.name
            for family in families
        }
        assert QUIET == {name for name, sample in samples.items() if not prometheus.query(sample)}
