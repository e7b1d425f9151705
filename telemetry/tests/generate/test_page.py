"""The operators' page: filled between its markers, complete, and its configurations valid."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from telemetry.business import _declare, measures
from telemetry.errors import SpecError
from telemetry.generate import files, page
from telemetry.tests.business.harness import Shown, scrape
from telemetry.tests.prometheus.server import binary
from telemetry.tests.servers.harness import CHECKOUT

TEXT = (CHECKOUT / files.PAGE).read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
YAML = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)

_SHOWN = """
import sys, django
django.setup()
from opentelemetry import metrics
from telemetry import runtime
for name in sys.argv[1:]:
    metrics.get_meter("test").create_counter(name).add(1)
for found in runtime.get().families():
    print(found.family.name)
"""


def shown(store: Path, *further: str) -> set[str]:
    """The families of the product in a fresh process that counts `further` instruments too."""
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "upstream.settings.test", "TELEMETRY_STORE_DIR": str(store)}
    command = [sys.executable, "-c", _SHOWN, *further]
    done = subprocess.run(command, cwd=CHECKOUT, env=environ, check=True, capture_output=True, text=True, timeout=60)
    return set(done.stdout.split())


def documented(text: str) -> set[str]:
    """The families that have a row in one of the page's tables."""
    return set(re.findall(r"^\| `(\w+)` \| (?:counter|gauge|histogram|untyped) \|", text, re.MULTILINE))


class TestFill:
    PARTS = {"one": "ONE", "two": "TWO"}
    END = "<!-- end of generated -->"
    BLANK = f"a\n<!-- generated: one -->\nold\n{END}\nb\n<!-- generated: two -->\n{END}\n"

    def test_puts_each_part_between_its_markers(self) -> None:
        filled = page.fill(self.BLANK, self.PARTS)
        assert filled.startswith("a\n<!-- generated: one -->\n\nONE\n\n<!-- end of generated -->\nb\n")
        assert "TWO" in filled and "old" not in filled

    def test_changes_nothing_a_second_time(self) -> None:
        filled = page.fill(self.BLANK, self.PARTS)
        assert filled == page.fill(filled, self.PARTS)

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            (BLANK.replace("two", "three"), r"\['one', 'three'\]; valid: one pair for each of \['one', 'two'\]"),
            (BLANK.replace("two", "one"), r"the markers are \['one', 'one'\]"),
            ("", r"the markers are \[\]"),
            (BLANK.replace(END, "", 1), "is not followed by"),
        ],
    )
    def test_names_markers_that_are_wrong(self, text: str, complaint: str) -> None:
        with pytest.raises(SpecError, match=complaint):
            page.fill(text, self.PARTS)


class TestExpressions:
    def test_stand_apart_by_empty_lines(self) -> None:
        text = "x\n```promql\na\n  + b\n\nc\n```\n```yaml\nno: 1\n```\n\n```promql\nd\n```\n"
        assert [(3, "a\n  + b"), (6, "c"), (13, "d")] == list(page.expressions(text))

    def test_are_on_the_page(self) -> None:
        assert len(list(page.expressions(TEXT))) > 50
        assert TEXT.count("```") == 2 * sum(TEXT.count(f"```{language}\n") for language in ("promql", "yaml", "python"))


class TestCompleteness:
    def test_the_page_documents_what_the_product_shows(self, tmp_path: Path) -> None:
        assert documented(TEXT) == shown(tmp_path)

    def test_a_family_without_documentation_is_noticed(self, tmp_path: Path) -> None:
        assert {"nobody_wrote_about_me_total"} == shown(tmp_path, "nobody_wrote_about_me") - documented(TEXT)

    def test_a_row_that_is_missing_is_noticed(self) -> None:
        row = next(line for line in TEXT.splitlines() if line.startswith("| `upstream_alert_created_total` |"))
        assert {"upstream_alert_created_total"} == documented(TEXT) - documented(TEXT.replace(row, ""))


class TestConfigurations:
    def test_the_scrape_configuration(self, tmp_path: Path) -> None:
        [text] = [text for text in YAML if "scrape_configs" in text]
        [job] = yaml.safe_load(text)["scrape_configs"]
        assert ("django-upstream", "/metrics", "15s", [{"targets": ["app:8000"]}]) == (
            job["job_name"],
            job["metrics_path"],
            job["scrape_interval"],
            job["static_configs"],
        )
        config = tmp_path / "prometheus.yml"
        for variant in (text, re.sub(r"^    # (authorization:|  credentials)", r"    \1", text, flags=re.MULTILINE)):
            config.write_text(variant.replace("/etc/prometheus/upstream-token", str(config)))
            subprocess.run([binary("promtool"), "check", "config", config], check=True, capture_output=True)

    def test_the_service_monitor(self) -> None:
        [monitor] = [yaml.safe_load(text) for text in YAML if "kind: ServiceMonitor" in text]
        assert "monitoring.coreos.com/v1" == monitor["apiVersion"]
        assert [{"port": "http", "path": "/metrics", "interval": "15s"}] == monitor["spec"]["endpoints"]
        assert {"app": "django-upstream"} == monitor["spec"]["selector"]["matchLabels"]


class TestAddAMetric:
    def test_the_example_declares_and_records(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_declare, "_measures", {_declare.DROPPED.name: _declare.DROPPED})
        declaration, calls = PYTHON
        names: dict[str, Any] = {"__name__": "example"}
        exec(declaration, names)
        assert {"upstream_export_fetched", "upstream_export_bytes"} < measures().keys()
        with scrape() as page:
            exec(calls, names)
            labels = {"product": "DriftWatch", "layout": "csv", "campaign": "spring", "customer_id": "mercy"}
            assert Shown("counter", labels, 1) == page.read("upstream_export_fetched_total")
            assert 52_000 == page.read("upstream_export_bytes").value
