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
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache, InvalidCacheKey
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings

from telemetry.instrumentation.cache import CacheInstrumentation
from telemetry.spec import OVERFLOW
from telemetry.tests.instrumentation.cache_recording import DURATION, LOOKUPS, OPERATIONS, CacheRecording

FALSY = pytest.mark.parametrize("value", [0, "", [], {}, False, None, b""])
HERE = __name__


class Shouting(LocMemCache):
    """A project's own subclass; its `get` takes no version."""

    def get(self, key: Any, default: Any = None) -> Any:  # type: ignore[override]
        return super().get(str(key).lower(), default)


class Computing(LocMemCache):
    """Gives a value of its own where no default is given."""

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return super().get(key, f"computed {key}" if default is None else default, version)


class Sparse(BaseCache):
    """As little as a backend can define."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.data: dict[str, Any] = {}

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return self.data.get(self.make_key(key, version), default)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> None:
        self.data[self.make_key(key, version)] = value


class Tiered(Sparse):
    """Asks a cache of its own first and another of the settings then."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(location, params)
        self.near = LocMemCache("near", {})

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        missing = object()
        found = self.near.get(key, missing, version)
        if found is missing:
            found = caches["default"].get(key, default, version)
            self.set(key, found)
        return found


class Native(LocMemCache):
    """Speaks to its server asynchronously."""

    async def aget(self, key: Any, default: Any = None, version: Any = None) -> Any:
        await asyncio.sleep(0)
        return self.get(key, default, version)


class Forking(Native):
    """Leaves a task behind, which outlives the call."""

    task: asyncio.Task[None]

    async def aget(self, key: Any, default: Any = None, version: Any = None) -> Any:
        async def later() -> None:
            await asyncio.sleep(0)
            self.set("left", 1)

        self.task = asyncio.get_running_loop().create_task(later())
        return self.get(key, default, version)


class Broken(LocMemCache):
    """Its server is down."""

    def make_key(self, *args: Any, **kwargs: Any) -> str:
        raise ConnectionError("the server is down")

    def clear(self) -> None:
        raise ConnectionError("the server is down")


class Picky(LocMemCache):
    """Knows no key that is good enough, and sets many but "b"."""

    def validate_key(self, key: Any) -> None:
        raise InvalidCacheKey(key)

    def set_many(self, data: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> list[Any]:
        return [key for key in data if key == "b"]


class Duck:
    """No subclass of Django's class, and without its attributes."""

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        pass

    def get(self, key: str, default: Any = None) -> Any:
        return default

    def close(self) -> None:
        pass


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@pytest.fixture(autouse=True)
def settings_caches(tmp_path: Path) -> Iterator[None]:
    named = {
        name.lower(): {"BACKEND": f"{HERE}.{name}", "LOCATION": str(tmp_path / name)}
        for name in ("Shouting", "Computing", "Sparse", "Tiered", "Native", "Forking", "Broken", "Picky", "Duck")
    }
    backends = "django.core.cache.backends"
    with override_settings(
        CACHES={
            "default": {"BACKEND": f"{backends}.locmem.LocMemCache", "LOCATION": str(tmp_path)},
            "files": {"BACKEND": f"{backends}.filebased.FileBasedCache", "LOCATION": str(tmp_path)},
            "dummy": {"BACKEND": f"{backends}.dummy.DummyCache"},
            **named,
        }
    ):
        yield


@pytest.fixture
def recording() -> Iterator[CacheRecording]:
    with CacheRecording() as recording:
        yield recording
        assert [] == recording.dropped()


class TestGet:
    def test_is_a_hit_or_a_miss(self, recording: CacheRecording) -> None:
        cache.set("key", "value")
        assert "value" == cache.get("key")
        assert "value" == cache.get("key", version=1)
        assert None is cache.get("none")
        assert "default" == cache.get("none", "default")
        assert "default" == cache.get(key="none", default="default", version=1)
        assert (5, 2, 3, 0) == recording.counts("locmem")
        assert {"set ok": 1, "get hit": 2, "get miss": 3} == recording.operations()
        assert {("default", "locmem", "hit"): 2, ("default", "locmem", "miss"): 3} == recording.values(LOOKUPS)

    @FALSY
    @pytest.mark.parametrize("alias", ["default", "files", "sparse", "shouting"])
    def test_finds_what_is_falsy(self, recording: CacheRecording, alias: str, value: object) -> None:
        caches[alias].set("falsy", value)
        assert value == caches[alias].get("falsy", 99)
        assert {"set ok": 1, "get hit": 1} == recording.operations(alias)

    @pytest.mark.parametrize("alias", ["default", "files"])
    def test_tells_a_cached_none_from_none(self, recording: CacheRecording, alias: str) -> None:
        caches[alias].set("none", None)
        assert None is caches[alias].get("none")
        assert {"set ok": 1, "get hit": 1} == recording.operations(alias)

    def test_leaves_the_default_of_a_backend_of_its_own(self, recording: CacheRecording) -> None:
        assert "computed x" == caches["computing"].get("x")
        assert 5 == caches["computing"].get("x", 5)
        assert {"get hit": 1, "get miss": 1} == recording.operations("computing")

    def test_passes_on_only_what_is_given(self, recording: CacheRecording) -> None:
        caches["shouting"].set("key", 1)
        assert 1 == caches["shouting"].get("KEY")
        with pytest.raises(TypeError, match="positional arguments"):
            caches["shouting"].get("KEY", None, 1)
        with pytest.raises(TypeError, match="'key'"):
            cache.get()  # type: ignore[call-arg]
        assert {"set ok": 1, "get hit": 1, "get error": 1} == recording.operations("shouting")

    def test_that_fails_is_no_miss(self, recording: CacheRecording) -> None:
        with pytest.raises(ConnectionError, match="the server is down"):
            caches["broken"].get("key", 1)
        assert (1, 0, 0, 1) == recording.counts("locmem")
        assert {"get error": 1} == recording.operations("broken")

    def test_of_a_key_that_cannot_be_is_an_error(self, recording: CacheRecording) -> None:
        with pytest.raises(InvalidCacheKey):
            caches["picky"].get("key")
        assert {"get error": 1} == recording.operations("picky")


class TestGetMany:
    @pytest.mark.parametrize("alias", ["default", "files", "sparse"])
    @pytest.mark.parametrize("make", [list, tuple, iter, dict.fromkeys, lambda keys: dict.fromkeys(keys).keys()])
    def test_looks_up_each_key(self, recording: CacheRecording, alias: str, make: Any) -> None:
        caches[alias].set_many({"a": 1, "b": None})
        assert {"a": 1, "b": None} == caches[alias].get_many(make(["a", "b", "c"]))
        assert {"a": 1} == caches[alias].get_many(keys=make(["a"]))
        assert {} == caches[alias].get_many(make([]))
        backend = {"default": "locmem", "files": "filebased", "sparse": f"{HERE}.Sparse"}[alias]
        assert (4, 3, 1, 0) == recording.counts(backend)
        assert {"set_many ok": 1, "get_many ok": 3} == recording.operations(alias)

    def test_finds_a_key_as_often_as_it_is_asked_for(self, recording: CacheRecording) -> None:
        cache.set("a", 1)
        assert {"a": 1} == cache.get_many(["a", "a", "b", "b", "b"])
        assert (5, 2, 3, 0) == recording.counts("locmem")

    def test_that_fails_fails_for_each_key(self, recording: CacheRecording) -> None:
        with pytest.raises(ConnectionError):
            caches["broken"].get_many(iter("abc"))
        assert (3, 0, 0, 3) == recording.counts("locmem")

    def test_lets_the_keys_raise(self, recording: CacheRecording) -> None:
        def keys() -> Iterator[str]:
            yield "a"
            raise LookupError("no more keys")

        with pytest.raises(LookupError, match="no more keys"):
            cache.get_many(keys())
        assert {"get_many error": 1} == recording.operations()


class TestOperations:
    def test_each_is_recorded_once(self, recording: CacheRecording) -> None:
        steps: list[tuple[object, object]] = [
            (True, cache.add("n", 1)),
            (False, cache.add("n", 2)),
            (2, cache.incr("n")),
            (1, cache.decr("n")),
            (True, cache.touch("n", 10)),
            (False, cache.touch("none")),
            (True, cache.has_key("n")),
            (True, "n" in cache),
            (False, "none" in cache),
            ([], cache.set_many({"a": 1, "b": 2})),
            (None, cache.delete_many(["a", "b"])),  # type: ignore[func-returns-value]
            (True, cache.delete("n")),
            (False, cache.delete("n")),
            (None, cache.clear()),  # type: ignore[func-returns-value]
        ]
        assert [expected for expected, _ in steps] == [found for _, found in steps]
        for name in ("incr", "decr"):
            with pytest.raises(ValueError, match="not found"):
                getattr(cache, name)("none")
        assert {
            "add stored": 1,
            "add refused": 1,
            "incr hit": 1,
            "incr miss": 1,
            "decr hit": 1,
            "decr miss": 1,
            "touch hit": 1,
            "touch miss": 1,
            "has_key hit": 2,
            "has_key miss": 1,
            "set_many ok": 1,
            "delete_many ok": 1,
            "delete hit": 1,
            "delete miss": 1,
            "clear ok": 1,
        } == recording.operations()
        assert (0, 0, 0, 0) == recording.counts("locmem")

    @pytest.mark.parametrize("alias", ["files", "sparse"])
    def test_one_made_of_others_is_one(self, recording: CacheRecording, alias: str) -> None:
        caches[alias].set("n", 1)
        assert 2 == caches[alias].incr("n")
        assert "n" in caches[alias]
        assert [] == caches[alias].set_many({"a": 1, "b": 2})
        assert {"set ok": 1, "incr hit": 1, "has_key hit": 1, "set_many ok": 1} == recording.operations(alias)

    def test_get_or_set_is_what_it_is_made_of(self, recording: CacheRecording) -> None:
        assert 1 == cache.get_or_set("key", lambda: cache.get_or_set("inner", 1))
        assert 1 == cache.get_or_set("key", 2)
        # Django reads again what it has added.
        assert {"get miss": 2, "add stored": 2, "get hit": 3} == recording.operations()
        assert (5, 3, 2, 0) == recording.counts("locmem")

    def test_a_new_version_is_what_it_is_made_of(self, recording: CacheRecording) -> None:
        cache.set("key", 1)
        assert 2 == cache.incr_version("key")
        assert {"set ok": 2, "get hit": 1, "delete hit": 1} == recording.operations()

    def test_keys_that_could_not_be_set_are_an_error(self, recording: CacheRecording) -> None:
        assert ["b"] == caches["picky"].set_many({"a": 1, "b": 2})
        assert [] == caches["picky"].set_many({"a": 1})
        assert {"set_many error": 1, "set_many ok": 1} == recording.operations("picky")

    def test_each_may_fail(self, recording: CacheRecording) -> None:
        broken = caches["broken"]
        for name, *args in (
            ("set", "k", 1), ("add", "k", 1), ("incr", "k"), ("decr", "k"), ("touch", "k"), ("has_key", "k"),
            ("delete", "k"), ("delete_many", ["k"]), ("set_many", {"k": 1}), ("clear",),
        ):  # fmt: skip
            with pytest.raises(ConnectionError):
                getattr(broken, name)(*args)
            assert 1 == recording.operations("broken")[f"{name} error"]
        assert 10 == sum(recording.operations("broken").values())

    def test_have_a_clock(self, recording: CacheRecording) -> None:
        cache.get("a")
        cache.get("b")
        cache.get_many(["a", "b"])
        caches["files"].get("a")
        assert {("default", "get"): 2, ("default", "get_many"): 1, ("files", "get"): 1} == recording.values(DURATION)


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
            (Sparse, f"{HERE}.Sparse"),
        ],
    )
    def test_one_without_settings_has_a_kind(
        self, recording: CacheRecording, cls: Any, kind: str, tmp_path: Path
    ) -> None:
        cls(str(tmp_path), {}).get("key")
        assert {("", kind, "get", "miss"): 1} == recording.values(OPERATIONS)

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
            assert isinstance(second.cache, CacheInstrumentation)
        cache.get("key")
        assert {"set ok": 1, "get hit": 1} == second.operations()
        assert {"set ok": 1, "get hit": 1, "get miss": 1} == recording.operations()
