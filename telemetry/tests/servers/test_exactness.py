"""Every answered request is counted once, whatever happens to the workers of a real gunicorn."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from telemetry.tests.servers.harness import BY_METHOD, Samples, Traffic, get, gunicorn, parse, total


def wait_until_gone(pids: list[int], seconds: float = 10) -> None:
    """Until no process has one of these ids, or is only waiting to be reaped."""
    deadline = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still there after {seconds} s: {pids}"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class TestExactTotals:
    """The sum over `django_http_requests_total_by_method_total` equals requests sent plus scrapes."""

    @pytest.mark.parametrize(
        ("options", "requests"),
        [
            (("--workers", "4"), 2000),
            (("--workers", "4", "--preload"), 2000),
            (("--workers", "4", "--max-requests", "50"), 2000),
            (("--workers", "1", "--max-requests", "50"), 500),
            (("--workers", "2", "--threads", "8"), 2000),
        ],
        ids=["4 workers", "preload", "max-requests", "1 worker max-requests", "threads"],
    )
    def test_requests_sent_are_requests_counted(self, tmp_path: Path, options: tuple[str, ...], requests: int) -> None:
        with gunicorn(tmp_path, *options) as server:
            traffic = Traffic(server.port).send(requests, threads=8)
            assert ({200: requests}, set()) == (traffic.statuses, traffic.errors)
            samples = server.scrape()
            assert requests + 1 == total(samples, BY_METHOD)
            assert requests + 1 == total(samples, "django_http_requests_before_middlewares_total")
            assert requests == total(samples, "django_http_responses_total_by_status_total", status="200")
            assert requests == total(samples, "django_http_requests_latency_including_middlewares_seconds_count")

    def test_sighup_under_traffic(self, tmp_path: Path) -> None:
        with gunicorn(tmp_path, "--workers", "2") as server:
            with Traffic(server.port).running() as traffic:
                for _ in range(3):
                    traffic.wait_for(100)
                    server.process.send_signal(signal.SIGHUP)
                traffic.wait_for(100)
            counted = total(server.scrape(), BY_METHOD)
            assert traffic.answered + 1 <= counted <= traffic.answered + traffic.broken + 1

    def test_sigkill_of_workers_under_traffic(self, tmp_path: Path) -> None:
        with gunicorn(tmp_path, "--workers", "4") as server:
            with Traffic(server.port).running() as traffic:
                for _ in range(8):
                    traffic.wait_for(50)
                    for pid in server.children()[:2]:
                        os.kill(pid, signal.SIGKILL)
                traffic.wait_for(50)
            counted = total(server.scrape(), BY_METHOD)
            assert traffic.answered + 1 <= counted <= traffic.answered + traffic.broken + 1

    def test_a_counter_written_before_the_fork_counts_once(self, tmp_path: Path) -> None:
        with gunicorn(tmp_path, "--workers", "3", "--preload", env={"PREFORK_COUNT": "5"}) as server:
            Traffic(server.port).send(60)
            assert 5 == total(server.scrape(), "prefork_total")


class TestScrapes:
    def test_successive_scrapes_never_fall(self, tmp_path: Path) -> None:
        with gunicorn(tmp_path, "--workers", "4", "--max-requests", "40") as server:
            before: Samples = {}
            with Traffic(server.port).running():
                for _ in range(20):
                    samples = server.scrape()
                    fallen = {
                        key: (value, samples.get(key, 0.0))
                        for key, value in before.items()
                        if samples.get(key, 0.0) < value
                    }
                    assert {} == fallen
                    before = {
                        key: value
                        for key, value in samples.items()
                        if key[0].endswith(("_total", "_count", "_bucket", "_sum"))
                        and not key[0].startswith("django_migrations")
                    }
                    time.sleep(0.1)

    def test_concurrent_scrapes_are_each_whole(self, tmp_path: Path) -> None:
        with gunicorn(tmp_path, "--workers", "2", "--threads", "8") as server:
            Traffic(server.port).send(200)
            bodies: list[bytes] = []
            gate = threading.Barrier(8)

            def scrape() -> None:
                gate.wait()
                bodies.append(get(server.port, "/metrics")[1])

            threads = [threading.Thread(target=scrape) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert 8 == len(bodies)
            for body in bodies:
                samples = parse(body.decode())
                view = "django_http_responses_total_by_status_view_method_total"
                assert 200 == total(samples, view, view="ok")
                assert 201 <= total(samples, BY_METHOD) <= 208
                families = [line for line in body.splitlines() if line.startswith(b"# TYPE ")]
                assert len(families) == len(set(families))


class TestRestart:
    def test_counters_start_from_zero_and_old_files_are_gone(self, tmp_path: Path) -> None:
        with gunicorn(tmp_path, "--workers", "2") as server:
            Traffic(server.port).send(100)
            assert 101 == total(server.scrape(), BY_METHOD)
            before = set(server.files())
        with gunicorn(tmp_path, "--workers", "2") as server:
            assert 1 == total(server.scrape(), BY_METHOD)
            segments = {name for name in before if name.startswith("seg-")}
            assert segments
            assert set() == segments & set(server.files())

    def test_a_killed_service_restarts_from_zero_too(self, tmp_path: Path) -> None:
        with gunicorn(tmp_path, "--workers", "2") as server:
            Traffic(server.port).send(50)
            workers = server.children()
            for pid in [server.process.pid, *workers]:
                os.kill(pid, signal.SIGKILL)
            server.process.wait(10)
            wait_until_gone(workers)
        with gunicorn(tmp_path, "--workers", "2") as server:
            assert 1 == total(server.scrape(), BY_METHOD)

    @pytest.mark.slow
    def test_files_stay_few_after_500_workers(self, tmp_path: Path) -> None:
        # preloaded, because importing Django 500 times is not what is tried here
        with gunicorn(tmp_path, "--workers", "8", "--preload", "--max-requests", "2") as server:
            sent = 0
            while server.log.read_text().count("Booting worker") < 500:
                sent += Traffic(server.port).send(80).answered
                assert server.process.poll() is None, server.log.read_text()[-2000:]
                assert sent < 4000
            assert sent + 1 == total(server.scrape(), BY_METHOD)
            assert len(server.files()) <= len(server.children()) + 6
