"""What is recorded of each operation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache, caches
from django.core.cache.backends.base import InvalidCacheKey
from django.test import override_settings

from telemetry.tests.instrumentation.cache_backends import HERE, settings
from telemetry.tests.instrumentation.cache_recording import DURATION, LOOKUPS, CacheRecording

FALSY = pytest.mark.parametrize("value", [0, "", [], {}, False, None, b""])


@pytest.fixture(autouse=True)
def settings_caches(tmp_path: Path) -> Iterator[None]:
    with override_settings(CACHES=settings(tmp_path)):
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
