"""The demo as a user runs it, in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from upstream.demo.processes import ROOT

COMMAND = [sys.executable, "-m", "upstream.demo"]


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
    yield free
    shutil.rmtree(ROOT / "var" / "demo" / str(free), ignore_errors=True)


def environ(**changes: object) -> dict[str, str]:
    return {**os.environ, **{name: str(value) for name, value in changes.items()}}


def run(**changes: object) -> tuple[int, str]:
    done = subprocess.run(
        COMMAND, cwd=ROOT, env=environ(**changes), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class TestDemo:
    def test_from_an_empty_database_to_alerts_reports_and_metrics(self, port: int) -> None:
        said = self.until_interrupted(port, signal.SIGINT)
        for expected in (
            "batch 1: success, 9,000 of 9,000 stored",
            "detection, which the upload has started",
            "Humana pays later",
            "Humana denies more claims",
            "one over a month without claims: failed; no claim was answered from 2001-01-01 to 2001-01-31",
            "  all 24 business families have moved\n",
            '  django_http_requests_total_by_method_total{method="POST"} 9\n',
            'task="upstream.ingest"} 3\n',
        ):
            assert expected in said
        pages = sorted((ROOT / "var" / "demo" / str(port)).glob("*.html"))
        assert ["denial_analysis", "drift_summary", "payment_analysis", "quality_dashboard"] == [
            page.stem for page in pages
        ]
        for page in pages:
            assert page.as_uri() in said
            assert "<svg" in page.read_text()

    @pytest.mark.slow
    def test_ends_when_it_is_told_to(self, port: int) -> None:
        self.until_interrupted(port, signal.SIGTERM)

    @pytest.mark.slow
    def test_ends_by_itself(self, port: int) -> None:
        status, said = run(PORT=port, ROWS=9_000, ONCE=1)
        assert 0 == status, said
        assert not listens(port)

    def until_interrupted(self, port: int, number: signal.Signals) -> str:
        """What the demo says until it is up; then it is sent a signal, and ends as it should."""
        demo = subprocess.Popen(
            COMMAND, cwd=ROOT, env=environ(PORT=port, ROWS=9_000, ONCE=""), stdout=subprocess.PIPE, text=True
        )
        assert demo.stdout is not None
        said = []
        try:
            for line in demo.stdout:
                said.append(line)
                if "Ctrl-C ends it" in line:
                    break
            assert f"up on http://127.0.0.1:{port}" in "".join(said[-1:]), "".join(said)
            assert listens(port)
            demo.send_signal(number)
            assert 0 == demo.wait(60)
        finally:
            demo.terminate()
            demo.communicate()
        assert not listens(port)
        return "".join(said)

    def test_a_busy_port_is_named(self, port: int) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", port))
            other.listen()
            status, said = run(PORT=port)
        assert 1 == status
        assert f"demo failed: PORT {port} on 127.0.0.1 cannot be had (Address already in use)" in said
        assert not Path(ROOT / "var" / "demo" / str(port)).exists()

    @pytest.mark.slow
    def test_a_step_that_fails_is_named(self, port: int) -> None:
        status, said = run(PORT=port, ROWS=9_000, UPSTREAM_MAX_UPLOAD_BYTES=1000)
        assert 1 == status
        assert "demo failed: upload: the service answers 413" in said
        assert not listens(port)

    @pytest.mark.parametrize("changes", [{"PORT": "many"}, {"PORT": "70000"}, {"ROWS": "-5"}])
    def test_a_bad_option_is_named(self, changes: dict[str, str]) -> None:
        ((name, value),) = changes.items()
        status, said = run(**changes)
        assert 1 == status
        assert f"demo failed: {name}: '{value}' is not valid" in said
