"""What ships for Prometheus, as Prometheus's own tool sees it; and that the checks find what is planted."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from telemetry.errors import SpecError
from telemetry.exposition.text import render
from telemetry.generate.families import entries
from telemetry.samples import FamilySamples, HistogramValue
from telemetry.spec import Family, FamilyType
from telemetry.tests.prometheus import promtool, rules
from telemetry.tests.prometheus.promtool import Refused

TESTS = sorted((rules.DIRECTORY / "tests").glob("*.yml"))


class TestConfig:
    def test_it_and_the_rules_that_it_names_are_valid(self) -> None:
        promtool.check_config(rules.DIRECTORY / "prometheus.yml")

    def test_it_scrapes_the_service_and_names_every_file_of_rules(self) -> None:
        config = yaml.safe_load((rules.DIRECTORY / "prometheus.yml").read_text())
        (job,) = config["scrape_configs"]
        assert ("django-upstream", "/metrics", "15s", [{"targets": ["app:8000"]}]) == (
            job["job_name"],
            job["metrics_path"],
            config["global"]["scrape_interval"],
            job["static_configs"],
        )
        assert {path.name for path in rules.DIRECTORY.glob("*_rules.yml")} == set(config["rule_files"])


class TestCatalogue:
    def test_promtool_finds_no_fault_with_any_name_of_our_choice(self) -> None:
        families = [entry.family for section in entries().values() for entry in section]
        assert promtool.GIVEN == promtool.lint(render(map(_sampled, families)))


class TestRules:
    @pytest.mark.parametrize("file", [rules.RECORDING, rules.ALERTS], ids=lambda path: path.name)
    def test_promtool_finds_no_fault(self, file: Path) -> None:
        promtool.check_rules(file)

    def test_they_name_only_what_is_exported_or_recorded(self) -> None:
        rules.check_names([*rules.read(rules.RECORDING), *rules.read(rules.ALERTS)])

    @pytest.mark.parametrize("file", TESTS, ids=lambda path: path.name)
    def test_they_do_what_their_tests_say(self, file: Path) -> None:
        promtool.run_tests(file)

    def test_every_alert_is_tested_firing_and_not_firing(self) -> None:
        firing: set[str] = set()
        quiet: set[str] = set()
        for file in TESTS:
            for test in yaml.safe_load(file.read_text())["tests"]:
                for case in test.get("alert_rule_test", ()):
                    (firing if case.get("exp_alerts") else quiet).add(case["alertname"])
        alerts = {rule.alert for rule in rules.read(rules.ALERTS)}
        assert (alerts, alerts) == (firing, quiet)

    @pytest.mark.parametrize(
        ("what", "fault"),
        [
            ("rate(django_http_request_count[5m]) > 1", "no metric 'django_http_request_count'"),
            ('django_http_requests_total{verb="GET"} > 1', "no label 'verb'"),
            ('upstream_alert_created_total{severity="urgent"} > 1', "never 'urgent'"),
            ("sum(rate(django_http_requests_total[5m]) > 1", "no PromQL"),
            ("rate(upstream_data_quality_score[5m]) > 1", "which is a gauge"),
        ],
    )
    def test_a_planted_rule_is_found(self, what: str, fault: str, tmp_path: Path) -> None:
        planted = _planted(tmp_path, {"alert": "Planted", "expr": what})
        with pytest.raises(SpecError, match=fault):
            rules.check_names(rules.read(planted))

    def test_a_planted_record_is_found(self, tmp_path: Path) -> None:
        planted = _planted(tmp_path, {"record": "django_http_requests", "expr": "django_http_requests_total"})
        with pytest.raises(SpecError, match="no metric 'django_http_requests'"):
            rules.check_names(rules.read(planted))


class TestPromtool:
    """That a helper which finds nothing has looked."""

    @pytest.mark.parametrize(
        "rule",
        [
            {"alert": "Planted", "expr": "sum(rate(django_http_requests_total[5m]) > 1"},
            {"alert": "Planted", "expr": "rate(django_http_requests_total) > 1"},
            {"alert": "Planted", "expr": "up == 0", "annotations": {"summary": "{{ $labels.job"}},
        ],
        ids=["syntax", "types", "template"],
    )
    def test_check_rules_and_check_config_refuse(self, rule: dict[str, object], tmp_path: Path) -> None:
        planted = _planted(tmp_path, rule)
        with pytest.raises(Refused):
            promtool.check_rules(planted)
        config = tmp_path / "prometheus.yml"
        config.write_text(yaml.safe_dump({"rule_files": [planted.name]}))
        with pytest.raises(Refused):
            promtool.check_config(config)

    @pytest.mark.parametrize(
        ("written", "planted"),
        [
            ("> 0.05", "> 0.5"),
            ("django_http_responses_total_by_status_total", "django_http_responses_total_by_code_total"),
            ("< 0.9", "< 0.7"),
            ("up{job=", "up{service="),
        ],
    )
    def test_run_tests_refuses_other_rules(self, written: str, planted: str, tmp_path: Path) -> None:
        text = rules.ALERTS.read_text()
        assert written in text
        (tmp_path / "alert_rules.yml").write_text(text.replace(written, planted))
        (tmp_path / "tests").mkdir()
        tests = tmp_path / "tests" / "alert_rules_test.yml"
        tests.write_text((rules.DIRECTORY / "tests" / "alert_rules_test.yml").read_text())
        with pytest.raises(Refused, match="FAILED"):
            promtool.run_tests(tests)

    def test_lint_finds(self) -> None:
        page = b"# HELP a_total A.\n# TYPE a_total gauge\na_total 1\n"
        assert {'a_total non-counter metrics should not have "_total" suffix'} == promtool.lint(page)

    def test_lint_refuses_what_is_no_page(self) -> None:
        with pytest.raises(Refused, match="parsing"):
            promtool.lint(b"a_total one\n")


def _sampled(family: Family) -> FamilySamples:
    """The family with one series: promtool says nothing about a family without."""
    value = HistogramValue([0.0] * (len(family.buckets) + 1), 0.0) if family.type is FamilyType.HISTOGRAM else 0.0
    return FamilySamples(family, [(tuple((label, "x") for label in sorted(family.labels)), value)])


def _planted(directory: Path, rule: dict[str, object]) -> Path:
    file = directory / "planted_rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "planted", "rules": [rule]}]}))
    return file
