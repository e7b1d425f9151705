"""`PROMETHEUS_MULTIPROC_DIR` under gunicorn: the project's own metrics from all workers, ours as without it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from telemetry.tests.servers.harness import BY_METHOD, Traffic, gunicorn, total
from telemetry.tests.servers.test_exactness import wait_until_gone


class TestMultiprocDir:
    def test_each_metric_is_counted_once_over_all_workers(self, tmp_path: Path) -> None:
        directory = tmp_path / "multiproc"
        directory.mkdir()
        with gunicorn(
            tmp_path,
            *("--workers", "3", "--threads", "2"),
            app="telemetry.tests.servers.multiproc_app:application",
            env={"PROMETHEUS_MULTIPROC_DIR": str(directory)},
        ) as server:
            sent = scrapes = workers = 0
            while workers < 3:
                sent += 60
                assert 60 == Traffic(server.port).send(60).answered
                samples = server.scrape()
                scrapes += 1
                assert sent == total(samples, "own_calls_total", path="/ok")
                assert sent + scrapes == total(samples, BY_METHOD) == total(samples, "django_site_calls_total")
                workers = int(total(samples, "own_workers"))
            killed = server.children()[0]
            os.kill(killed, signal.SIGKILL)
            wait_until_gone([killed])
            samples = server.scrape()
            assert sent == total(samples, "own_calls_total", path="/ok")
            assert sent + scrapes + 1 == total(samples, BY_METHOD)
        written = b"".join(path.read_bytes() for path in directory.iterdir())
        assert b"own_calls_total" in written
        assert b"django_" not in written
