"""`docs/TRACING.md` and the stack's README: what they name exists, and the two variables send spans."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.generate.families import entries
from telemetry.tests.otlp.sink import receiving
from telemetry.tests.servers.harness import CHECKOUT
from telemetry.tests.stack.files import VARIABLE, known_variables

PAGE = CHECKOUT / "docs" / "TRACING.md"
PAGES = (PAGE, CHECKOUT / "docs" / "stack" / "README.md")
_VISIT = """
import django
django.setup()
from django.test import Client
assert Client().get("/", headers={"host": "localhost"}).status_code == 200
"""


class TestNames:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_every_variable_and_setting_exists(self, page: Path) -> None:
        named = set(VARIABLE.findall(page.read_text()))
        assert named
        assert set() == named - known_variables()

    def test_every_metric_and_check_exists(self) -> None:
        text = PAGE.read_text()
        families = {entry.family.name for section in entries().values() for entry in section}
        named = set(re.findall(r"\btelemetry_[a-z_]+_total\b", text))
        assert named
        assert set() == named - families
        source = (CHECKOUT / "telemetry" / "checks.py").read_text()
        assert [] == [number for number in re.findall(r"telemetry\.(W\d{3})", text) if number not in source]

    def test_every_link_leads_to_a_file(self) -> None:
        for page in PAGES:
            for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", page.read_text()):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_two_variables_send_a_span() -> None:
    (line,) = re.findall(r"(?m)^    (OTEL_SERVICE_NAME=\S+ OTEL_EXPORTER_OTLP_ENDPOINT=\S+)$", PAGE.read_text())
    variables = dict(pair.split("=", 1) for pair in line.split())
    with receiving("grpc") as sink:
        given = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "upstream.settings.dev", **variables}
        given["OTEL_EXPORTER_OTLP_ENDPOINT"] = sink.endpoint
        subprocess.run([sys.executable, "-c", _VISIT], cwd=CHECKOUT, env=given, check=True, timeout=60)
        (span,) = sink.spans
    assert ("GET", "upstream") == (span.name, span.resource["service.name"])
