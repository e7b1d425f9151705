"""What Upstream's claims and customers say, and what its visitors type, is in no span, no log record and no label."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from telemetry.tests.instrumentation.planted_data import PLANTED
from telemetry.tests.postgres.server import Unavailable, postgres

_CAPTURE = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER"


@contextmanager
def database(kind: str, directory: Path) -> Iterator[str]:
    """The URL of a database of one's own."""
    if kind == "sqlite":
        yield f"sqlite:///{directory / 'db.sqlite3'}"
        return
    try:
        with postgres() as server:
            server.ask("CREATE DATABASE planted")
            yield server.url("planted")
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What left the process."""
    directory: Path = tmp_path_factory.mktemp("planted")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PYTEST_"))}
    with database(request.param, directory) as url:
        done = subprocess.run(
            [sys.executable, "-m", "telemetry.tests.instrumentation.planted_script"],
            env=environ
            | {
                "DATABASE_URL": url,
                "DJANGO_SETTINGS_MODULE": "upstream.settings.test",
                "TELEMETRY_STORE_DIR": str(directory / "store"),
                "UPSTREAM_VAR_DIR": str(directory / "var"),
                "UPSTREAM_WEBHOOK_ALLOW_PRIVATE": "1",
                f"{_CAPTURE}_REQUEST": ".*",
                f"{_CAPTURE}_RESPONSE": ".*",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert 0 == done.returncode, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def leaks(texts: list[str]) -> list[str]:
    """Those that hold what was planted, from there on."""
    found = []
    for text in texts:
        for planted in PLANTED:
            at = text.lower().find(planted)
            if at >= 0:
                found.append(text[max(0, at - 200) : at + 100])
    return found


def ids(records: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(record["trace_id"], record["span_id"]) for record in records}


class TestPlanted:
    def test_it_was_worked_on(self, left: dict[str, Any]) -> None:
        assert {
            "api": [202, 500, 202, 202, 202, 400, 400, 202, 400, 400, 200, 401, 404],
            "reports": [200, 200],
            "filtered": [200, 400, 404, 405],
            "admin": [302, 200, 200, 200, 200, 302, 400, 200, 200, 200, 200, 404, 200, 200, 200, 302],
            "hostile": [400, 405, 400],
        } == left["statuses"]
        assert [
            ["deliver", "completed", ""],
            ["deliver", "failed", "Refused"],
            ["deliver", "queued", "Unreachable"],
            ["detect", "completed", ""],
            ["ingest", "completed", ""],
            ["ingest", "failed", "FileRejected"],
            ["quality", "queued", "ValueError"],
            ["report", "completed", ""],
        ] == left["jobs"]
        assert ["FAILURE"] * 5 == left["scheduled"]
        assert left["kept"] > 0
        assert {"GET api/v1/batches/", "POST api/v1/batches/", "POST api/v1/detections/", "VALUES", "to store"} <= {
            span["name"] for span in left["exported"]
        }

    def test_no_span_holds_it(self, left: dict[str, Any]) -> None:
        assert len([span for span in left["exported"] if "db.query.text" in span["attributes"]]) > 20
        assert [] == leaks([json.dumps(span) for span in left["exported"]])

    def test_no_span_of_the_layer_holds_it_even_where_nothing_cleans(self, left: dict[str, Any]) -> None:
        for span in left["recorded"]:
            del span["context"]["trace_state"]
        assert len(left["recorded"]) > 100
        assert [] == leaks([json.dumps(span) for span in left["recorded"]])

    def test_no_log_record_holds_it(self, left: dict[str, Any]) -> None:
        records = [json.loads(line) for line in left["log"]]
        loggers = {"django.db.backends", "django.request", "upstream", "upstream.jobs.attempt", "celery.app.trace"}
        assert loggers <= {record["logger"] for record in records}
        assert {"ValueError", "django.db.utils.IntegrityError"} <= {record.get("exception.type") for record in records}
        assert [] == leaks(left["log"])

    def test_no_label_and_no_exemplar_holds_it(self, left: dict[str, Any]) -> None:
        page, openmetrics = left["pages"]
        assert 'customer_id="mercy"' in page
        assert " # {" in openmetrics
        assert [] == leaks([*page.splitlines(), *openmetrics.splitlines()])

    def test_records_name_the_spans_that_they_were_made_in(self, left: dict[str, Any]) -> None:
        spans = {(span["context"]["trace_id"][2:], span["context"]["span_id"][2:]) for span in left["exported"]}
        records = [json.loads(line) for line in left["log"]]
        statements = ids([record for record in records if record["logger"] == "django.db.backends"]) - {("", "")}
        assert statements
        assert statements <= spans
        answers = [record for record in records if record["logger"] == "django.request"]
        assert {400, 404, 405, 500} <= {record["status_code"] for record in answers}
        assert ids(answers) <= spans
