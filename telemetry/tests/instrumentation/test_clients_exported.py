"""Calls of a service that exports by HTTP itself: their spans arrive, and none of the exports; without an exporter
the libraries are as they came. Each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from telemetry.tests.instrumentation.client_calls import Server, serving
from telemetry.tests.otlp.sink import Sink, receiving

LIBRARIES = ("requests", "urllib3", "httpx")


def run(server: Server, store: Path, **variables: str) -> dict[str, Any]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "-m", "telemetry.tests.instrumentation.clients_script", server.url("/200")],
        env=environ | {"TELEMETRY_STORE_DIR": str(store), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert 0 == done.returncode, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def asked_for(found: dict[str, Any]) -> set[str]:
    """The libraries whose stock instrumentation was imported."""
    return {name for name in LIBRARIES if f"opentelemetry.instrumentation.{name}" in found["stock"]}


def calls(sink: Sink) -> list[str]:
    return [span.attributes["url.full"] for span in sink.spans]


class TestExported:
    def test_calls_are_and_exports_are_not(self, tmp_path: Path) -> None:
        with receiving("http/protobuf") as sink, serving() as server:
            found = run(server, tmp_path, **sink.environment)
            sink.wait(lambda: len(sink.spans) >= 4, "four spans")
            assert [server.url("/200")] * 4 == calls(sink)
            assert {True} == {span.is_client for span in sink.spans}
            assert sink.points, "metrics are exported too"
            assert [] == [headers for headers in sink.headers if "traceparent" in headers]
        assert (False, {*LIBRARIES}) == (found["untouched"], asked_for(found))

    def test_they_have_no_metrics(self, tmp_path: Path) -> None:
        with receiving("http/protobuf") as sink, serving() as server:
            found = run(server, tmp_path, **sink.environment)
            assert [] == [point.name for point in sink.points if "client" in point.name]
            assert "telemetry_store_files" in {point.name for point in sink.points}
        assert "http_client" not in found["page"]
        assert "python_info" in found["page"]


class TestNotExported:
    @pytest.mark.parametrize(
        "variables",
        [
            {},
            {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
            {"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"},
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"},
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
                "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "requests, urllib3,httpx",
            },
        ],
        ids=str,
    )
    def test_the_libraries_are_untouched(self, variables: dict[str, str], tmp_path: Path) -> None:
        with serving() as server:
            found = run(server, tmp_path, **variables)
        assert (True, set()) == (found["untouched"], asked_for(found))
        assert "traceparent" not in server.headers["/200"]

    def test_no_library_is_imported_for_their_sake(self) -> None:
        script = """
import sys
from opentelemetry.sdk.trace import TracerProvider
from telemetry.instrumentation import clients
def failed(where, error): raise error
clients.install(TracerProvider(), frozenset(["httpx"]), failed)
before = sorted({*sys.modules} & {"requests", "urllib3", "httpx"})
import requests, httpx
print(before, [hasattr(each, "__wrapped__") for each in (requests.Session.send, httpx.HTTPTransport.handle_request)])
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
        assert "[] [True, False]" == done.stdout.strip()
