"""That what the settings say about privacy reaches the spans that leave, and the answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from telemetry.tests.servers.harness import CHECKOUT

_SETTINGS = """
from telemetry.tests.project.settings import *
TELEMETRY_PRIVATE_NAMES = ["ward"]
TELEMETRY_PUBLIC_PARAMETERS = ["fields"]
TELEMETRY_PRIVATE_PATTERNS = [r"MRN-[0-9]+"]
TELEMETRY_RESPONSE_HEADER = "traceresponse"
"""
_SCRIPT = """
import django
django.setup()
from django.test import Client
from opentelemetry import trace
answer = Client().get("/ok?ward=west&fields=a,b")
with trace.get_tracer("app").start_as_current_span("of the application") as span:
    span.set_attributes({"note": "jane@example.org, MRN-4711", "app.ward": "west", "kept": "as it is"})
trace.get_tracer_provider().force_flush()
print("HEADER", answer.headers.get("traceresponse"))
"""


def run(directory: Path) -> tuple[dict[str, dict[str, Any]], str]:
    """The attributes of the spans that left, by the span's name, and the header of the answer."""
    (directory / "private_settings.py").write_text(_SETTINGS)
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{directory}:{CHECKOUT}",
        "DJANGO_SETTINGS_MODULE": "private_settings",
        "OTEL_TRACES_EXPORTER": "console",
        "TELEMETRY_STORE_DIR": str(directory / "store"),
    }
    done = subprocess.run([sys.executable, "-c", _SCRIPT], env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    printed, _, header = done.stdout.partition("HEADER ")
    spans, decoder, at = {}, json.JSONDecoder(), 0
    while at < len(printed.rstrip()):
        span, end = decoder.raw_decode(printed, at)
        spans[span["name"]] = span["attributes"]
        at = end + 1
    return spans, header.strip()


class TestSettings:
    def test_are_those_of_every_span_that_leaves(self, tmp_path: Path) -> None:
        spans, header = run(tmp_path)
        assert {"note": "REDACTED, REDACTED", "app.ward": "REDACTED", "kept": "as it is"} == spans["of the application"]
        assert "ward=REDACTED&fields=a,b" == spans["GET ok"]["url.query"]
        assert header.startswith("00-")
