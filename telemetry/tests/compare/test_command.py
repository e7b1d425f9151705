"""`manage.py telemetry_compare` on the pages of both stacks, with dashboards and rules as people have them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from telemetry.tests.servers.harness import CHECKOUT

LATENCY = "django_http_requests_latency_seconds_by_view_method"
STATUS = "django_http_responses_total_by_status_view_method_total"
REQUESTS = "django_http_requests_total_by_view_transport_method_total"
CHOSEN = 'namespace=~"$namespace", job=~"$job"'

PANELS = {
    "Requests": f'sum(rate({REQUESTS}{{{CHOSEN}, view!~"admin:.*"}}[$__rate_interval])) by (view, method)',
    "Success": f'sum(rate({STATUS}{{{CHOSEN}, status!~"[4-5].*"}}[5m])) / sum(rate({STATUS}{{{CHOSEN}}}[5m]))',
    "Failures": f'sum by (view) (rate({STATUS}{{{CHOSEN}, status=~"5.."}}[$__rate_interval])) > 0 or vector(0)',
    "Latency": f"histogram_quantile(0.95, sum(rate({LATENCY}_bucket{{{CHOSEN}}}[$__rate_interval])) by (view, le))",
    "Fast enough": f'sum(rate({LATENCY}_bucket{{le="0.5"}}[5m])) / sum(rate({LATENCY}_count[5m]))',
    "Mean": "rate(django_http_requests_latency_including_middlewares_seconds_sum[5m])"
    " / rate(django_http_requests_latency_including_middlewares_seconds_count[5m])",
    "Sizes": 'rate(django_http_responses_body_total_bytes_bucket{le="1.048576e+06"}[5m])',
    "Database": "sum by (alias, vendor) (rate(django_db_execute_total[5m]))",
    "Errors of the database": "topk(5, sum by (type) (increase(django_db_errors_total[1h])))",
    "Queries": "histogram_quantile(0.5, sum by (le, alias) (rate(django_db_query_duration_seconds_bucket[5m])))",
    "Cache": "sum by (backend) (rate(django_cache_get_hits_total[5m]) / rate(django_cache_get_total[5m]))",
    "Exceptions": "sum by (type) (rate(django_http_exceptions_total_by_type_total[5m]))",
    "Templates": "sum by (templatename) (increase(django_http_responses_total_by_templatename_total[1h]))",
    "Migrations": "max by (connection) (django_migrations_unapplied_total) > 0",
    "Another exporter": "rate(nginx_connections_total[5m])",
    "Out of date": "sum by (status) (rate(django_http_responses_total_by_status[5m]))",
}
DASHBOARD = {
    "title": "Django",
    "templating": {
        "list": [
            {"name": "namespace", "type": "query", "query": f"label_values({REQUESTS}, namespace)"},
            {"name": "view", "type": "query", "query": f"label_values({REQUESTS}{{{CHOSEN}}}, view)"},
        ]
    },
    "panels": [{"title": title, "targets": [{"refId": "A", "expr": expr}]} for title, expr in PANELS.items()],
}
RULES = f"""
groups:
- name: django
  rules:
  - record: view:requests:rate5m
    expr: sum by (view, method) (rate({REQUESTS}[5m]))
  - alert: NoRequests
    expr: absent(view:requests:rate5m)
  - alert: MigrationsUnapplied
    expr: max by (job) (django_migrations_unapplied_total) > 0
  - alert: HighLatency
    expr: histogram_quantile(0.99, sum by (le) (rate({LATENCY}_bucket[5m]))) > 1
"""


@pytest.fixture
def dashboards(tmp_path: Path) -> Path:
    (tmp_path / "grafana/team").mkdir(parents=True)
    (tmp_path / "grafana/team/django.json").write_text(json.dumps({"dashboard": DASHBOARD}))
    return tmp_path / "grafana"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "django.yml").write_text(RULES)
    return tmp_path / "django.yml"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Exit status and standard output."""
    try:
        call_command("telemetry_compare", *map(str, arguments))
    except SystemExit as ended:
        return int(str(ended.code)), capsys.readouterr().out
    except CommandError as error:
        return error.returncode, f"{capsys.readouterr().out}{error}"
    return 0, capsys.readouterr().out


def replaced(path: str, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, Path(path).read_text(), flags=re.MULTILINE)
    assert count
    Path(path).write_text(text)


class TestVerdict:
    def test_the_move_is_safe(
        self, old: str, new: str, dashboards: Path, rules: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        status, told = run(capsys, old, new, "--dashboards", dashboards, "--rules", rules, "--ignore-added")
        assert (0, "SAFE: 71 families and 22 expressions compared") == (status, told.splitlines()[-1])
        assert "labels on neither page, taken as added by Prometheus: namespace" in told
        dead = told.partition("Expressions: dead on OLD already (2)")[2]
        assert "panel 'Another exporter', query A" in dead
        assert "the nearest is django_http_responses_total_by_status_total" in dead

    @pytest.mark.parametrize(
        ("pattern", "replacement", "places"),
        [
            (
                rf"\b{LATENCY}",
                "django_http_requests_seconds_by_view_method",
                ["alert 'HighLatency'", "panel 'Latency', query A", "panel 'Fast enough', query A"],
            ),
            (rf'^({LATENCY}_bucket.*)le="0.5"', r'\1le="0.50"', ["panel 'Fast enough', query A"]),
            (
                rf'^({REQUESTS}.*),view="[^"]*"',
                r"\1",
                [
                    "recording rule 'view:requests:rate5m'",
                    "variable 'view'",
                    "panel 'Requests', query A",
                ],
            ),
            (
                r"^(# TYPE |# HELP )?django_migrations_unapplied_total\b.*\n",
                "",
                ["alert 'MigrationsUnapplied'", "panel 'Migrations', query A"],
            ),
            (r'status="500"', 'status="error"', ["panel 'Failures', query A"]),
            (r'backend="locmem"', 'backend="default"', []),
        ],
    )
    def test_what_would_break(
        self,
        pattern: str,
        replacement: str,
        places: list[str],
        old: str,
        new: str,
        dashboards: Path,
        rules: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        replaced(new, pattern, replacement)
        arguments = (old, new, "--dashboards", dashboards, "--rules", rules, "--format", "json")
        status, told = run(capsys, *arguments)
        found = json.loads(told)
        broken = [each["place"] for each in found["expressions"] if each["breaks"]]
        assert places == broken
        families = any(each["breaks"] for each in found["differences"])
        assert (not (families or broken), int(bool(families or broken))) == (found["safe"], status)
        assert all(each["reasons"] for each in found["expressions"] if each["breaks"])

    def test_what_breaks_is_told_first(
        self, old: str, new: str, rules: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        replaced(new, rf"^(# TYPE |# HELP )?{LATENCY}(_bucket|_sum|_count)?\b.*\n", "")
        status, told = run(capsys, old, new, "--rules", rules)
        lines = told.splitlines()
        assert (1, "NOT SAFE: 1 of 71 families and 1 of 4 expressions would break") == (status, lines[-1])
        assert lines.index("What breaks (1)") < lines.index("Expressions that break (1)")
        assert lines.index("Expressions that break (1)") < next(n for n, line in enumerate(lines) if "Good to" in line)
        assert f"  {rules}, alert 'HighLatency'" in lines

    def test_families_alone(self, old: str, new: str, capsys: pytest.CaptureFixture[str]) -> None:
        status, told = run(capsys, old, new)
        assert (0, "SAFE: 71 families compared") == (status, told.splitlines()[-1])
        assert "family added" in told

    def test_added_families_can_be_left_out(self, old: str, new: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert "family added" not in run(capsys, old, new, "--ignore-added")[1]


class TestInput:
    def test_a_page_that_is_cut_off(self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        cut = tmp_path / "cut"
        cut.write_text(Path(old).read_text()[:-10])
        status, told = run(capsys, old, cut)
        assert 2 == status
        assert re.fullmatch(rf"{cut}, line \d+: cut off in the middle of a line", told)

    def test_both_from_standard_input(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert (2, "OLD and NEW cannot both be standard input") == run(capsys, "-", "-")

    def test_dashboards_that_are_none(self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "none").mkdir()
        status, told = run(capsys, old, old, "--dashboards", tmp_path / "none")
        assert (2, f"0 files *.json of {tmp_path / 'none'}: no expression found") == (status, told)
        status, told = run(capsys, old, old, "--rules", tmp_path / "nowhere.yml")
        assert (2, f"{tmp_path / 'nowhere.yml'}: No such file or directory") == (status, told)

    @pytest.mark.parametrize("package", ["promql_parser", "yaml"])
    def test_says_what_to_install(
        self, package: str, old: str, rules: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        import telemetry.compare

        for module in ("expressions", "promql", "rules", "world"):
            monkeypatch.delitem(sys.modules, f"telemetry.compare.{module}", raising=False)
            monkeypatch.delattr(telemetry.compare, module, raising=False)
        monkeypatch.setitem(sys.modules, package, None)
        status, told = run(capsys, old, old, "--rules", rules)
        assert 2 == status
        assert f"need {package}: pip install 'django-telemetry-upstream[compare]'" in told
        assert 0 == run(capsys, old, old)[0]

    @pytest.mark.parametrize(("arguments", "status"), [((), 2), (("old", "old"), 0), (("old", "nowhere"), 2)])
    def test_the_status_of_the_process(self, arguments: tuple[str, ...], status: int, old: str) -> None:
        done = _manage(*(old if argument == "old" else argument for argument in arguments))
        assert status == done.returncode, done.stderr

    def test_help(self) -> None:
        told = _manage("--help").stdout
        assert "Exit status: 0 safe, 1 something would break, 2 the input cannot be used." in told


def _manage(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "telemetry_compare", *arguments]
    options: dict[str, Any] = {"capture_output": True, "text": True, "cwd": CHECKOUT, "timeout": 60}
    return subprocess.run(command, **options)
