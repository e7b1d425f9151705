from __future__ import annotations

import importlib
import importlib.util
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django_redis.cache  # type: ignore[import-untyped]
import pytest
from django.core.cache import cache, caches
from django.core.cache.backends import filebased, locmem, memcached, redis
from django.test import override_settings

from telemetry.catalogue.by_hand import with_by_hand
from telemetry.compat.django_prometheus import _home
from telemetry.compat.django_prometheus.cache import metrics
from telemetry.projections import evaluate_all
from telemetry.tests.instrumentation.cache_recording import BY_BACKEND, GETS, HITS, MISSES, CacheRecording

BACKENDS = "telemetry.compat.django_prometheus.cache.backends"
ORIGINALS = {
    "filebased.FileBasedCache": (filebased.FileBasedCache, "filebased"),
    "locmem.LocMemCache": (locmem.LocMemCache, "locmem"),
    "memcached.PyLibMCCache": (memcached.PyLibMCCache, "memcached"),
    "memcached.PyMemcacheCache": (memcached.PyMemcacheCache, "memcached"),
    "redis.RedisCache": (django_redis.cache.RedisCache, "redis"),
    "redis.NativeRedisCache": (redis.RedisCache, "native_redis"),
}


DESCRIBE = """
import json, sys, importlib
from django.conf import settings
settings.configure()
from prometheus_client import Counter
found = vars(importlib.import_module(sys.argv[1] + ".cache.metrics")).items()
counters = {name: value for name, value in found if isinstance(value, Counter)}
print(json.dumps({name: (each._name, each._documentation, each._labelnames) for name, each in counters.items()}))
"""


class Counting(locmem.LocMemCache):
    """As projects write it with django-prometheus, after the search-and-replace."""

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        metrics.django_cache_get_total.labels(backend="counting").inc()
        cached = super().get(key, default=None, version=version)
        if cached is not None:
            metrics.django_cache_hits_total.labels(backend="counting").inc()
        else:
            metrics.django_cache_misses_total.labels(backend="counting").inc()
        return default if cached is None else cached


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CacheRecording]:
    files = {"BACKEND": f"{BACKENDS}.filebased.FileBasedCache", "LOCATION": str(tmp_path)}
    memory = {"BACKEND": f"{BACKENDS}.locmem.LocMemCache", "LOCATION": str(tmp_path)}
    counting = {"BACKEND": f"{__name__}.Counting", "LOCATION": str(tmp_path / "counting")}
    with (
        override_settings(CACHES={"default": memory, "files": files, "counting": counting}),
        CacheRecording() as recording,
    ):
        monkeypatch.setattr(_home, "home", _home.Home(recording.store))
        yield recording
        assert [] == recording.dropped()


def described(module: str) -> dict[str, Any]:
    """The metrics of a module's caches; in a process of its own, for some stay in prometheus_client's registry."""
    done = subprocess.run([sys.executable, "-c", DESCRIBE, module], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def by_backend(recording: CacheRecording, backend: str) -> list[float]:
    """Gets, hits, misses and failures as on the page, where what is counted by hand is added."""
    families = evaluate_all(with_by_hand(recording.catalogue.projections), recording.store.read())
    series = {each.family.name: dict(each.series) for each in families}
    found = [series[name].get((("backend", backend),), 0.0) for name in BY_BACKEND]
    return [value for value in found if isinstance(value, float)]


class TestBackends:
    @pytest.mark.parametrize("name", ORIGINALS)
    def test_are_the_originals_and_add_nothing(self, name: str) -> None:
        module, _, cls = name.partition(".")
        ours = getattr(importlib.import_module(f"{BACKENDS}.{module}"), cls)
        assert (ORIGINALS[name][0],) == ours.__bases__
        generic, of_python_3_13 = {"__parameters__", "__orig_bases__"}, {"__firstlineno__", "__static_attributes__"}
        assert {"__module__", "__doc__"} >= set(ours.__dict__) - generic - of_python_3_13

    @pytest.mark.parametrize("name", [name for name in ORIGINALS if "PyLibMC" not in name])
    def test_are_counted_as_their_originals(
        self, recording: CacheRecording, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        module, _, cls = name.partition(".")
        original, kind = ORIGINALS[name]
        # Before anything is asked of a server.
        monkeypatch.setattr(original, "make_key", _refuse)
        monkeypatch.setattr(django_redis.cache.RedisCache, "client", property(_refuse))
        found = getattr(importlib.import_module(f"{BACKENDS}.{module}"), cls)("127.0.0.1:1", {})
        with pytest.raises(ConnectionError):
            found.get("key")
        assert [1, 0, 0, 1] == by_backend(recording, kind)

    def test_are_counted_once(self, recording: CacheRecording) -> None:
        for alias in ("default", "files"):
            caches[alias].set("zero", 0)
            assert 0 == caches[alias].get("zero", default=99)
            assert 99 == caches[alias].get("none", default=99)
        assert [2, 1, 1, 0] == by_backend(recording, "locmem")
        assert [2, 1, 1, 0] == by_backend(recording, "filebased")
        assert isinstance(pickle.loads(pickle.dumps(caches["files"])), filebased.FileBasedCache)

    @pytest.mark.skipif(
        importlib.util.find_spec("django_memcached_consul") is not None, reason="django-memcached-consul is installed"
    )
    def test_one_without_its_library_fails_by_itself(self) -> None:
        with pytest.raises(ModuleNotFoundError, match="'django_memcached_consul'"):
            importlib.import_module(f"{BACKENDS}.django_memcached_consul")


class TestMetrics:
    def test_have_the_names_of_django_prometheus(self) -> None:
        ours, theirs = described("telemetry.compat.django_prometheus"), described("django_prometheus")
        assert 4 == len(theirs)
        assert theirs == ours

    def test_are_on_the_page(self, recording: CacheRecording) -> None:
        for metric in (
            metrics.django_cache_get_total,
            metrics.django_cache_hits_total,
            metrics.django_cache_misses_total,
            metrics.django_cache_get_fail_total,
        ):
            metric.labels("mine").inc()
            metric.labels(backend="mine").inc(2)
        assert [3, 3, 3, 3] == by_backend(recording, "mine")

    def test_of_a_backend_that_counts_by_itself_are_all_that_counts(self, recording: CacheRecording) -> None:
        counting = caches["counting"]
        counting.set("zero", 0)
        assert 0 == counting.get("zero", 99)
        assert 99 == counting.get("none", 99)
        assert {"zero": 0} == counting.get_many(["zero", "none"])
        assert [4, 2, 2, 0] == by_backend(recording, "counting")
        assert [0, 0, 0, 0] == by_backend(recording, "locmem")
        assert {"set ok": 1, "get hit": 1, "get miss": 1, "get_many ok": 1} == recording.operations("counting")

    def test_counted_outside_of_a_cache_change_nothing(self, recording: CacheRecording) -> None:
        metrics.django_cache_get_total.labels(backend="mine").inc()
        cache.get("key")
        assert [1, 0, 1, 0] == by_backend(recording, "locmem")
        assert {("locmem",): 1} == recording.values(GETS) == recording.values(MISSES)
        assert {} == recording.values(HITS)


def _refuse(*args: Any, **kwargs: Any) -> Any:
    raise ConnectionError("no server was to be asked")
