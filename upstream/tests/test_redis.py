"""Redis as the broker: what it is told is done, and what it forgets is done all the same."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.tests.instrumentation.cache_servers import CacheServer, cache_server
from telemetry.tests.servers.harness import get, total
from upstream.tests.service import Service, service, wait_until

pytestmark = pytest.mark.slow

CUSTOMER = "Customer.objects.create(code='mercy', name='Mercy')"
ASK = "jobs.enqueue('quality', customer, day='2025-06-30')"
JOBS = "tell(list(Job.objects.order_by('pk').values_list('status', 'attempts')))"
SENT = "tell([job.sent_at is not None for job in Job.objects.order_by('pk')])"


@pytest.fixture
def redis() -> Iterator[CacheServer]:
    with cache_server("redis-server") as server:
        yield server


@pytest.fixture
def running(redis: CacheServer, tmp_path: Path) -> Iterator[Service]:
    with service(tmp_path, UPSTREAM_BROKER_URL=f"redis://{redis.address}/0", UPSTREAM_RESEND_SECONDS="2") as running:
        assert 200 == get(running.web.port, "/")[0]
        running.run(CUSTOMER)
        yield running


def completed(service: Service, number: int) -> bool:
    return bool([["completed", 1]] * number == service.run(JOBS))


class TestRedis:
    def test_does_what_it_is_told_and_what_it_forgets(self, running: Service, redis: CacheServer) -> None:
        running.run(ASK)
        assert [True] == running.run(SENT)
        with socket.create_connection(("127.0.0.1", redis.port)) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            assert b"+OK\r\n" == connection.recv(100)
        with running.worker() as worker:
            wait_until(lambda: completed(running, 1), worker.log)
            running.run(ASK)
            wait_until(lambda: completed(running, 2), worker.log)
        samples = running.scrape()
        assert 2 == total(samples, "upstream_background_job_completed_total", job_type="data_sync")
        assert 2 == total(samples, "upstream_background_job_started_total", job_type="data_sync")

    def test_a_job_waits_in_the_table_while_it_is_away(self, running: Service, redis: CacheServer) -> None:
        redis.stop()
        running.run(ASK)
        assert ([["queued", 0]], [False]) == (running.run(JOBS), running.run(SENT))
        with cache_server("redis-server", redis.port), running.worker() as worker:
            wait_until(lambda: completed(running, 1), worker.log)
