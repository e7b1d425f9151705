"""`telemetry_generate`: it writes, it compares, and it refuses PromQL that cannot answer."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from telemetry.generate import files
from telemetry.generate.dashboards import service
from telemetry.tests.servers.harness import CHECKOUT

SERVICE = files.DASHBOARDS / "service.json"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what is generated."""
    shutil.copytree(CHECKOUT / files.DASHBOARDS, tmp_path / files.DASHBOARDS)
    shutil.copy(CHECKOUT / files.PAGE, tmp_path / files.PAGE)
    (tmp_path / files.TESTS).parent.mkdir(parents=True)
    shutil.copy(CHECKOUT / files.TESTS, tmp_path / files.TESTS)
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def complaint(checkout: Path) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("telemetry_generate", check=True, root=checkout)
    return str(caught.value)


class TestCheck:
    def test_this_checkout_is_as_generated(self) -> None:
        call_command("telemetry_generate", check=True, root=CHECKOUT)

    def test_a_row_of_the_page(self, checkout: Path) -> None:
        replace(checkout / files.PAGE, "| counter |", "| gauge |")
        assert "docs/PROMETHEUS_METRICS.md differs from the catalogue; run telemetry_generate" == complaint(checkout)

    def test_a_dashboard(self, checkout: Path) -> None:
        replace(checkout / SERVICE, "http_server_active_requests", "http_server_idle_requests")
        assert "docs/grafana/service.json differs from the catalogue; run telemetry_generate" == complaint(checkout)

    def test_a_test_of_a_metric(self, checkout: Path) -> None:
        replace(checkout / files.TESTS, "ALERT_CREATED.add(\n            3,", "ALERT_CREATED.add(\n            4,")
        assert f"{files.TESTS} differs from the catalogue; run telemetry_generate" == complaint(checkout)

    def test_tests_that_are_missing(self, checkout: Path) -> None:
        (checkout / files.TESTS).unlink()
        assert f"{files.TESTS} differs from the catalogue; run telemetry_generate" == complaint(checkout)

    def test_a_dashboard_that_is_missing_and_one_too_many(self, checkout: Path) -> None:
        (checkout / SERVICE).rename(checkout / files.DASHBOARDS / "other.json")
        assert ["docs/grafana/other.json differs", "docs/grafana/service.json differs"] == [
            line.partition(" from ")[0] for line in complaint(checkout).splitlines()
        ]

    def test_a_page_that_is_missing(self, tmp_path: Path) -> None:
        assert "PROMETHEUS_METRICS.md" in complaint(tmp_path)

    def test_a_page_without_a_marker(self, checkout: Path) -> None:
        replace(checkout / files.PAGE, "<!-- generated: http -->", "")
        given, _, valid = complaint(checkout).partition("; valid: ")
        assert ("'http'" in given, "'http'" in valid) == (False, True)

    @pytest.mark.parametrize(
        ("old", "new", "why"),
        [
            ("django_db_errors_total[", "django_db_failures_total[", "no metric 'django_db_failures_total'"),
            ("sum by (view) (", "sum by (page) (", "'sum' has no label 'page'"),
            ('{status="failed"}', '{status="failure"}', "is never 'failure'; valid: ['success', 'failed', 'partial']"),
            ("topk(5, sum by", "topk(5 sum by", "is no PromQL"),
        ],
    )
    def test_an_expression_of_the_page(self, checkout: Path, old: str, new: str, why: str) -> None:
        asked = (checkout / files.PAGE).read_text().partition("## What to ask")[2]
        assert old in asked
        replace(checkout / files.PAGE, asked, asked.replace(old, new, 1))
        [line] = complaint(checkout).splitlines()
        assert line.startswith("docs/PROMETHEUS_METRICS.md, line ")
        assert why in line

    @pytest.mark.parametrize(
        ("planted", "why"), [("http_requests", "no metric 'http_requests'"), ("no[promql", "is no PromQL")]
    )
    def test_an_expression_of_a_dashboard(
        self, checkout: Path, monkeypatch: pytest.MonkeyPatch, planted: str, why: str
    ) -> None:
        monkeypatch.setattr(service, "_STATUS", planted)
        lines = complaint(checkout).splitlines()
        assert {f"{SERVICE}, panel 'Failing', query A", f"{SERVICE}, panel 'Responses by status', query A"} == {
            line.partition(": ")[0] for line in lines if why in line
        }

    def test_a_variable_of_a_dashboard(self) -> None:
        text = (CHECKOUT / files.DASHBOARDS / "database.json").read_text()
        planted = text.replace("label_values(django_db_query_duration_seconds_count", "label_values(django_db")
        assert planted != text
        [line] = files.wrong_expressions({files.DASHBOARDS / "database.json": planted})
        assert line.startswith("docs/grafana/database.json, variable 'alias': ")
        assert "no metric 'django_db'" in line


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("telemetry.generate.files")
    monkeypatch.delitem(sys.modules, "telemetry.generate.files")
    monkeypatch.delitem(sys.modules, "telemetry.generate.promql")
    monkeypatch.delattr("telemetry.generate.promql")
    monkeypatch.setitem(sys.modules, "promql_parser", None)
    with pytest.raises(CommandError, match=r"promql_parser.*; install the extra 'dev'"):
        call_command("telemetry_generate", check=True)


class TestWrite:
    def test_makes_again_what_was_changed(self, checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
        replace(checkout / files.PAGE, "| counter |", "| gauge |")
        (checkout / SERVICE).rename(checkout / files.DASHBOARDS / "other.json")
        call_command("telemetry_generate", root=checkout)
        assert {
            "removed docs/grafana/other.json",
            "wrote docs/PROMETHEUS_METRICS.md",
            "wrote docs/grafana/service.json",
        } == set(capsys.readouterr().out.splitlines())
        call_command("telemetry_generate", check=True, root=checkout)

    def test_writes_nothing_that_cannot_answer(self, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service, "_STATUS", "nothing")
        before = (checkout / SERVICE).read_text()
        with pytest.raises(CommandError, match="no metric 'nothing'"):
            call_command("telemetry_generate", root=checkout)
        assert before == (checkout / SERVICE).read_text()
