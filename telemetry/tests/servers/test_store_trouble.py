"""Where the shared store cannot be had, or is shared by mistake, the service goes on and says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.store.directory import locate
from telemetry.tests.project import settings as project
from telemetry.tests.servers.harness import BY_METHOD, CHECKOUT, Traffic, gunicorn, total


class TestUnusableDirectory:
    def test_the_app_serves_on_and_the_loss_is_told_once(self, tmp_path: Path) -> None:
        blocked = tmp_path / "blocked"
        blocked.write_text("a file where the directory should be")
        with gunicorn(tmp_path, "--workers", "1", env={"TELEMETRY_STORE_DIR": str(blocked / "store")}) as server:
            traffic = Traffic(server.port).send(50)
            assert {200: 50} == traffic.statuses
            samples = server.scrape()
            assert 51 == total(samples, BY_METHOD)
            assert 1 == total(samples, "telemetry_store_degraded")
            log = server.log.read_text()
            assert 1 == log.count("serves from memory"), log
            assert str(blocked) in log


class TestTwoServices:
    def test_two_gunicorns_on_one_store_are_reported(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        shared = {"TELEMETRY_STORE_DIR": str(tmp_path / "store")}
        with gunicorn(tmp_path / "a", "--workers", "1", env=shared) as first:
            Traffic(first.port).send(10)
            assert 1 == total(first.scrape(), "telemetry_store_serving_anchors")
            with gunicorn(tmp_path / "b", "--workers", "1", env=shared) as second:
                Traffic(second.port).send(10)
                assert 2 == total(second.scrape(), "telemetry_store_serving_anchors")
                assert 2 == total(first.scrape(), "telemetry_store_serving_anchors")
                logs = first.log.read_text() + second.log.read_text()
                assert "TELEMETRY_STORE_DIR" in logs


class TestPytestBesideAServer:
    def test_a_test_run_leaves_the_numbers_alone(self, tmp_path: Path, request: pytest.FixtureRequest) -> None:
        """The very same settings and no store setting: only the test run's private store keeps them apart."""
        temp = tmp_path / "tmp"
        temp.mkdir()
        test = tmp_path / "test_some_requests.py"
        test.write_text(
            "def test_requests(client):\n"
            "    for _ in range(25):\n"
            "        assert client.get('/ok').status_code == 200\n"
            "    page = client.get('/metrics').content\n"
            "    assert b'django_http_requests_total_by_method_total{method=\"GET\"} 26' in page\n"
        )
        options = {"TELEMETRY_STORE_DIR": "", "OTEL_SERVICE_NAME": f"beside-{os.getpid()}"}
        identity = ("telemetry.tests.project.settings", str(project.BASE_DIR), options["OTEL_SERVICE_NAME"], "")
        request.addfinalizer(lambda: shutil.rmtree(locate(identity).path))
        with gunicorn(tmp_path, "--workers", "2", env=options) as server:
            Traffic(server.port).send(20)
            environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "TELEMETRY_"))}
            environ |= {
                "PYTHONPATH": str(CHECKOUT),
                "DJANGO_SETTINGS_MODULE": "telemetry.tests.project.settings",
                "OTEL_SERVICE_NAME": options["OTEL_SERVICE_NAME"],
            }
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
            run = subprocess.run(
                [*command, "--rootdir", str(tmp_path), str(test)],
                env=environ,
                capture_output=True,
                text=True,
                cwd=tmp_path,
                timeout=60,
            )
            assert 0 == run.returncode, run.stdout + run.stderr
            assert 21 == total(server.scrape(), BY_METHOD)
