"""Caches whose values live in a server of their own, which may go away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pymemcache.exceptions  # type: ignore[import-untyped]
import pytest
import redis.exceptions
from django.core.cache import cache, caches
from django.test import override_settings

from telemetry.tests.instrumentation.cache_recording import CacheRecording
from telemetry.tests.instrumentation.cache_servers import CacheServer, cache_server

CLASSES = {
    "memcached": "django.core.cache.backends.memcached.PyMemcacheCache",
    "native_redis": "django.core.cache.backends.redis.RedisCache",
    "redis": "django_redis.cache.RedisCache",
}
DOWN = (OSError, pymemcache.exceptions.MemcacheError, redis.exceptions.ConnectionError)
KINDS = pytest.mark.parametrize("kind", CLASSES)


@pytest.fixture
def server(kind: str) -> Iterator[CacheServer]:
    with cache_server("memcached" if kind == "memcached" else "redis-server") as server:
        yield server


@pytest.fixture
def recording(kind: str, server: CacheServer) -> Iterator[CacheRecording]:
    location = server.address if kind == "memcached" else f"redis://{server.address}/0"
    default: dict[str, Any] = {"BACKEND": CLASSES[kind], "LOCATION": location}
    ignoring = default | {"OPTIONS": {"IGNORE_EXCEPTIONS": True}}
    with override_settings(CACHES={"default": default} | ({"ignoring": ignoring} if kind == "redis" else {})):
        with CacheRecording() as recording:
            yield recording
            assert [] == recording.dropped()
        for found in caches.all(initialized_only=True):
            if kind == "native_redis":
                for pool in found._cache._pools.values():  # type: ignore[attr-defined]
                    pool.disconnect()


@KINDS
class TestServer:
    def test_that_works(self, recording: CacheRecording, kind: str) -> None:
        cache.set_many({"a": 0, "b": None, "n": 1})
        assert 0 == cache.get("a", 99)
        assert None is cache.get("b", 99)
        assert 99 == cache.get("c", 99)
        assert {"a": 0, "b": None} == cache.get_many(["a", "b", "c"])
        assert 3 == cache.incr("n", 2)
        assert 2 == cache.decr("n")
        assert cache.touch("a")
        assert "a" in cache
        assert not cache.add("a", 2)
        assert cache.delete("a")
        cache.clear()
        assert (6, 4, 2, 0) == recording.counts(kind)
        assert {
            "set_many ok": 1,
            "get hit": 2,
            "get miss": 1,
            "get_many ok": 1,
            "incr hit": 1,
            "decr hit": 1,
            "touch hit": 1,
            "has_key hit": 1,
            "add refused": 1,
            "delete hit": 1,
            "clear ok": 1,
        } == recording.operations()

    def test_that_works_asynchronously(self, recording: CacheRecording, kind: str) -> None:
        async def run() -> None:
            await cache.aset("a", 0)
            assert 0 == await cache.aget("a", 99)
            assert {"a": 0} == await cache.aget_many(["a", "b"])
            assert 7 == await cache.aincr("a", 7)
            cache.close()

        asyncio.run(run())
        assert (3, 2, 1, 0) == recording.counts(kind)
        assert {"set ok": 1, "get hit": 1, "get_many ok": 1, "incr hit": 1} == recording.operations()

    def test_that_dies(self, recording: CacheRecording, server: CacheServer, kind: str) -> None:
        cache.set("a", 1)
        assert 1 == cache.get("a")
        server.stop()
        with pytest.raises(DOWN):
            cache.get("a")
        assert (2, 1, 0, 1) == recording.counts(kind)
        assert {"set ok": 1, "get hit": 1, "get error": 1} == recording.operations()


@pytest.mark.parametrize("kind", ["redis"])
class TestDjangoRedis:
    def test_may_ignore_that_the_server_died(self, recording: CacheRecording, server: CacheServer, kind: str) -> None:
        ignoring = caches["ignoring"]
        ignoring.set("a", 1)
        assert 1 == ignoring.get("a")
        server.stop()
        assert 99 == ignoring.get("a", 99)
        assert {} == ignoring.get_many(["a", "b"])
        ignoring.set("a", 2)
        assert (4, 1, 0, 3) == recording.counts(kind)
        assert {"set ok": 1, "get hit": 1, "get error": 1, "get_many error": 1, "set error": 1} == (
            recording.operations("ignoring")
        )

    def test_keeps_what_only_it_has(self, recording: CacheRecording, server: CacheServer, kind: str) -> None:
        found: Any = caches["ignoring"]
        with found.lock("lock", timeout=5):
            found.set("a", 1, timeout=100)
        assert 0 < found.ttl("a") <= 100
        assert ["a"] == found.keys("*")
        assert found.client.get("a") == 1
        server.stop()
        assert None is found.incr_version("a")
        assert {"set ok": 1} == recording.operations("ignoring")
        assert (0, 0, 0, 0) == recording.counts(kind)
