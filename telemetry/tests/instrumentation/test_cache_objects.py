"""Which caches are seen, in threads and coroutines too, and that they stay what they are."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from collections.abc import Callable, Coroutine, Iterator
from functools import wraps
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import CacheHandler, cache, caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.memcached import PyMemcacheCache
from django.test import override_settings

from telemetry.spec import OVERFLOW
from telemetry.tests.instrumentation.cache_backends import HERE, Duck, Native, Shouting, Sparse, settings
from telemetry.tests.instrumentation.cache_recording import OPERATIONS, CacheRecording

CONSUL = type("MemcachedCache", (PyMemcacheCache,), {"__module__": "django_memcached_consul.memcached"})
"""What that library has by this name, as far as the name goes."""


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@pytest.fixture(autouse=True)
def settings_caches(tmp_path: Path) -> Iterator[None]:
    with override_settings(CACHES=settings(tmp_path)):
        yield


@pytest.fixture
def recording() -> Iterator[CacheRecording]:
    with CacheRecording() as recording:
        yield recording
        assert [] == recording.dropped()


class TestCaches:
    def test_sessions_work(self, recording: CacheRecording) -> None:
        session = SessionStore()
        session["basket"] = []
        session.save()
        again = SessionStore(session.session_key)
        assert [] == again["basket"]
        again["basket"] = [1]
        again.save()
        SessionStore(session.session_key).delete()
        found = recording.operations()
        assert {"add stored": 1, "get hit": 2, "set ok": 1, "delete hit": 1, "has_key miss": 1} == found

    def test_an_empty_session_is_saved_again(self, recording: CacheRecording) -> None:
        # django-prometheus issue 493: its caches take an empty session for none, and saving it raises.
        session = SessionStore()
        session.create()
        session.save()
        found = recording.operations()
        assert {"add stored": 1, "get hit": 1, "set ok": 1, "has_key miss": 1} == found

    def test_a_cache_within_a_cache_is_another(self, recording: CacheRecording) -> None:
        assert 5 == caches["tiered"].get("key", 5)
        assert {"get miss": 1} == recording.operations("tiered")
        assert {"get miss": 1} == recording.operations("default")
        # Its own one has no alias.
        assert {"get miss": 1} == recording.operations("")

    @pytest.mark.parametrize(
        ("cls", "kind"),
        [
            (LocMemCache, "locmem"),
            (Shouting, "locmem"),
            (FileBasedCache, "filebased"),
            (DummyCache, "dummy"),
            (DatabaseCache, "db"),
            (CONSUL, "django_memcached_consul"),
            (type("Mine", (CONSUL,), {}), "django_memcached_consul"),
            (Sparse, f"{HERE}.Sparse"),
        ],
    )
    def test_one_without_settings_has_a_kind(
        self, recording: CacheRecording, cls: Any, kind: str, tmp_path: Path
    ) -> None:
        # Nothing is asked of a server.
        cls(str(tmp_path), {}).delete_many([])
        assert {("", kind, "delete_many", "ok"): 1} == recording.values(OPERATIONS)

    def test_a_class_that_is_made_later_is_seen(self, recording: CacheRecording) -> None:
        class Later(Sparse):
            def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
                return 1

        Later("", {}).get("key")
        assert [1.0] == list(recording.values(OPERATIONS).values())

    def test_a_class_that_is_not_djangos_is_seen(self, recording: CacheRecording) -> None:
        assert 3 == caches["duck"].get("key", 3)
        assert {"get miss": 1} == recording.operations("duck")

    def test_other_settings_are_other_caches(self, recording: CacheRecording) -> None:
        with override_settings(CACHES={"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}):
            cache.set("key", 1)
            assert None is cache.get("key")
        cache.get("key")
        assert (1, 0, 1, 0) == recording.counts("dummy")
        assert (1, 0, 1, 0) == recording.counts("locmem")

    def test_another_handler_has_its_own(self, recording: CacheRecording) -> None:
        handler = CacheHandler({"elsewhere": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}})
        handler["elsewhere"].get("key")
        assert {"get miss": 1} == recording.operations("elsewhere")

    def test_an_alias_too_many_joins_the_others(self) -> None:
        dummy = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
        with CacheRecording(limit=1) as recording:
            handler = CacheHandler({"first": dummy, "second": {"BACKEND": f"{HERE}.Sparse"}})
            handler["first"].get("key")
            handler["second"].get("key")
        assert {
            ("first", "dummy", "get", "miss"): 1,
            (OVERFLOW, OVERFLOW, "get", "miss"): 1,
        } == recording.values(OPERATIONS)


class TestThreads:
    def test_all_are_recorded(self, recording: CacheRecording) -> None:
        def work() -> None:
            for number in range(100):
                cache.set(f"key-{number}", number)
                cache.get(f"key-{number}")
                cache.get("none")

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (800, 400, 400, 0) == recording.counts("locmem")

    def test_may_share_one_cache(self, recording: CacheRecording) -> None:
        shared, entered, leave = Sparse("", {}), threading.Event(), threading.Event()

        def slowly(key: Any, *args: Any) -> str:
            if key == "slow":
                entered.set()
                assert leave.wait(20)
            return str(key)

        shared.key_func = slowly
        thread = threading.Thread(target=shared.get_many, args=(["slow"],))
        thread.start()
        assert entered.wait(20)
        shared.get("key")
        leave.set()
        thread.join()
        assert {"get miss": 1, "get_many ok": 1} == recording.operations("")


class TestAsync:
    @in_a_loop
    async def test_each_is_recorded_once(self, recording: CacheRecording) -> None:
        for alias in ("default", "sparse"):
            found = caches[alias]
            await found.aset("n", 1)
            assert 1 == await found.aget("n", 99)
            assert 99 == await found.aget("none", default=99)
            assert 2 == await found.aincr("n")
            assert {"n": 2} == await found.aget_many(["n", "none"])
            assert await found.ahas_key("n")
            assert [] == await found.aset_many({"a": None})
            assert None is await found.aget("a", 99)
            with pytest.raises(ValueError, match="not found"):
                await found.adecr("none")
            assert {
                "set ok": 1,
                "get hit": 2,
                "get miss": 1,
                "incr hit": 1,
                "get_many ok": 1,
                "has_key hit": 1,
                "set_many ok": 1,
                "decr miss": 1,
            } == recording.operations(alias)
        assert (5, 3, 2, 0) == recording.counts("locmem")

    @in_a_loop
    async def test_get_or_set_is_what_it_is_made_of(self, recording: CacheRecording) -> None:
        assert 1 == await cache.aget_or_set("key", 1)
        assert {"get miss": 1, "add stored": 1, "get hit": 1} == recording.operations()

    @in_a_loop
    async def test_calls_at_once_are_kept_apart(self, recording: CacheRecording) -> None:
        native = caches["native"]
        await native.aset("key", 1)
        assert [1] * 20 + [2] * 20 == await asyncio.gather(
            *(native.aget("key") for _ in range(20)), *(native.aget("none", 2) for _ in range(20))
        )
        assert {"set ok": 1, "get hit": 20, "get miss": 20} == recording.operations("native")

    @in_a_loop
    async def test_a_call_in_a_thread_is_the_same_call(self, recording: CacheRecording) -> None:
        assert None is await sync_to_async(caches["default"].get)("key")
        assert {"get miss": 1} == recording.operations()

    @in_a_loop
    async def test_a_task_that_is_left_behind_calls_anew(self, recording: CacheRecording) -> None:
        forking: Any = caches["forking"]
        await forking.aget("key")
        await forking.task
        assert {"get miss": 1, "set ok": 1} == recording.operations("forking")

    @in_a_loop
    async def test_a_cancelled_call_is_an_error(self, recording: CacheRecording) -> None:
        task = asyncio.ensure_future(caches["native"].aget("key"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert {"get error": 1} == recording.operations("native")


class TestTheCacheItself:
    def test_keeps_its_type(self, recording: CacheRecording) -> None:
        found = caches["default"]
        assert type(found) is LocMemCache
        assert "get_many" not in LocMemCache.__dict__
        assert "get" == found.get.__name__ == LocMemCache.get.__name__
        assert found.get_many.__func__ is BaseCache.get_many  # type: ignore[attr-defined]

    def test_can_be_pickled(self, recording: CacheRecording) -> None:
        caches["files"].set("key", 1)
        again = pickle.loads(pickle.dumps(caches["files"]))
        assert 1 == again.get("key")
        assert {"set ok": 1, "get hit": 1} == recording.operations("files")

    def test_can_be_copied(self, recording: CacheRecording) -> None:
        other = copy.copy(caches["default"])
        other.version = 2
        other.set("key", 2)
        assert None is cache.get("key")
        assert 2 == other.get("key")
        assert {"set ok": 1, "get miss": 1, "get hit": 1} == recording.operations()

    def test_can_be_mocked(self, recording: CacheRecording) -> None:
        with mock.patch.object(LocMemCache, "get", return_value="mocked"):
            assert "mocked" == cache.get("key")
        with mock.patch("django.core.cache.cache.get", return_value="mocked"):
            assert "mocked" == cache.get("key")
        assert {} == recording.operations()
        assert None is cache.get("key")
        assert {"get miss": 1} == recording.operations()


def made_before() -> BaseCache:
    """This thread's default cache, as if nobody had been installed yet when it was made."""
    found: BaseCache = caches["default"]
    found.__dict__.pop("_telemetry_labels", None)
    return found


class TestInstallation:
    def test_finds_caches_that_exist(self) -> None:
        here = made_before()
        there: list[Any] = []
        both = threading.Barrier(2, timeout=20)

        def work() -> None:
            there.append(made_before())
            both.wait()
            both.wait()
            caches["default"].get("key")

        thread = threading.Thread(target=work)
        thread.start()
        both.wait()
        with CacheRecording() as recording:
            both.wait()
            thread.join()
            here.get("key")
            assert here is not there[0]
            assert {"get miss": 2} == recording.operations()

    def test_twice_is_once(self, recording: CacheRecording) -> None:
        recording.cache.install()
        cache.get("key")
        assert {"get miss": 1} == recording.operations()

    def test_is_undone(self) -> None:
        classes: list[type] = [CacheHandler, BaseCache, LocMemCache, FileBasedCache, DummyCache, Sparse, Native, Duck]
        before = [dict(cls.__dict__) for cls in classes]
        with CacheRecording() as recording:
            assert before != [dict(cls.__dict__) for cls in classes]
            caches["duck"].get("key")
        assert before == [dict(cls.__dict__) for cls in classes]
        recording.cache.uninstall()
        cache.get("key")
        assert {} == recording.operations()

    def test_others_who_came_later_stay(self) -> None:
        original = LocMemCache.get
        try:
            with CacheRecording() as recording:
                ours = LocMemCache.get
                LocMemCache.get = lambda self, key, *args: (ours(self, key, *args), "theirs")  # type: ignore[method-assign]
                assert (None, "theirs") == cache.get("key")
            assert (None, "theirs") == cache.get("key")
            assert {"get miss": 1} == recording.operations()
        finally:
            LocMemCache.get = original  # type: ignore[method-assign]

    def test_a_failure_of_ours_is_not_the_caches(self) -> None:
        with CacheRecording() as recording, mock.patch.object(recording.store, "bind", side_effect=OSError("full")):
            cache.set("key", 1)
            assert 1 == cache.get("key", 99)
            assert {"key": 1} == cache.get_many(["key"])
        cache.get("key")
        assert {} == recording.operations()

    def test_two_do_not_disturb_each_other(self, recording: CacheRecording) -> None:
        with CacheRecording() as second:
            cache.set("none", None)
            assert None is cache.get("none", 1)
        cache.get("key")
        assert {"set ok": 1, "get hit": 1} == second.operations()
        assert {"set ok": 1, "get hit": 1, "get miss": 1} == recording.operations()
