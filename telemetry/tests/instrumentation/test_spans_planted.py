"""What Upstream's claims and customers say is in no span, no log record and no label."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from telemetry.tests.instrumentation.planted_script import WORD


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What left the process."""
    directory: Path = tmp_path_factory.mktemp("planted")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-m", "telemetry.tests.instrumentation.planted_script"],
        env=environ
        | {
            "DATABASE_URL": f"sqlite:///{directory / 'db.sqlite3'}",
            "DJANGO_SETTINGS_MODULE": "upstream.settings.test",
            "TELEMETRY_STORE_DIR": str(directory / "store"),
            "UPSTREAM_VAR_DIR": str(directory / "var"),
            "UPSTREAM_WEBHOOK_ALLOW_PRIVATE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class TestPlanted:
    def test_the_word_was_worked_on(self, left: dict[str, Any]) -> None:
        assert [202, 500, 202, 202, 202, 400, 400, 202, 400, 200, 401, 404, 200, 200] == left["statuses"]
        assert [
            ["deliver", "completed", ""],
            ["deliver", "queued", "Unreachable"],
            ["detect", "completed", ""],
            ["ingest", "completed", ""],
            ["ingest", "failed", "FileRejected"],
            ["quality", "queued", "ValueError"],
            ["report", "completed", ""],
        ] == left["jobs"]
        assert left["kept"] > 0
        assert {"GET api/v1/batches/", "POST api/v1/batches/", "POST api/v1/detections/"} <= {
            span["name"] for span in left["spans"]
        }

    def test_no_span_holds_it(self, left: dict[str, Any]) -> None:
        assert len([span for span in left["spans"] if "db.query.text" in span["attributes"]]) > 20
        assert [] == [span for span in left["spans"] if WORD in json.dumps(span).lower()]

    def test_no_log_record_holds_it(self, left: dict[str, Any]) -> None:
        records = [json.loads(line) for line in left["log"]]
        loggers = {"django.db.backends", "django.request", "upstream", "upstream.jobs.attempt", "celery.app.trace"}
        assert loggers <= {record["logger"] for record in records}
        assert {"ValueError", "django.db.utils.OperationalError"} <= {
            record.get("exception.type") for record in records
        }
        assert [] == [line for line in left["log"] if WORD in line.lower()]

    def test_no_label_holds_it(self, left: dict[str, Any]) -> None:
        assert 'customer_id="mercy"' in left["page"]
        assert [] == [line for line in left["page"].splitlines() if WORD in line.lower()]

    def test_records_name_the_spans_that_they_were_made_in(self, left: dict[str, Any]) -> None:
        spans = {(span["context"]["trace_id"][2:], span["context"]["span_id"][2:]) for span in left["spans"]}
        requests = [record for record in map(json.loads, left["log"]) if record["logger"] == "django.request"]
        statements = [record for record in map(json.loads, left["log"]) if record["logger"] == "django.db.backends"]
        named = {(record["trace_id"], record["span_id"]) for record in statements} - {("", "")}
        assert named
        assert named <= spans
        assert len(requests) >= 4
