"""A Django of its own with caches: run as a script, it prints what each step returned and what was counted.

Arguments: `bare`, `theirs` (django-prometheus's backends) or `ours`; a directory; then `alias=address`
for each cache that needs a server, `alias` being one of `BACKENDS` or of `DOWN`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import django
from django.conf import settings
from django.core.cache import caches

from telemetry.tests.instrumentation.cache_recording import BY_BACKEND, CacheRecording

THEIRS = "django_prometheus.cache.backends"
BACKENDS = {
    "locmem": ("django.core.cache.backends.locmem.LocMemCache", f"{THEIRS}.locmem.LocMemCache"),
    "filebased": ("django.core.cache.backends.filebased.FileBasedCache", f"{THEIRS}.filebased.FileBasedCache"),
    "memcached": ("django.core.cache.backends.memcached.PyMemcacheCache", f"{THEIRS}.memcached.PyMemcacheCache"),
    "redis": ("django_redis.cache.RedisCache", f"{THEIRS}.redis.RedisCache"),
    "native_redis": ("django.core.cache.backends.redis.RedisCache", f"{THEIRS}.redis.NativeRedisCache"),
}
DOWN = {"redis_down": "redis", "redis_ignored": "redis", "native_redis_down": "native_redis"}
"""Caches whose server is down, by the `backend` of django-prometheus."""

STEPS: dict[str, Callable[[Any], object]] = {
    "set": lambda cache: cache.set("key", "value"),
    "get": lambda cache: cache.get("key"),
    "get nothing": lambda cache: cache.get("none"),
    "get the default": lambda cache: cache.get("none", "default"),
    "get 0": lambda cache: (cache.set("falsy", 0), cache.get("falsy", 99)),
    "get an empty text": lambda cache: (cache.set("falsy", ""), cache.get("falsy", 99)),
    "get an empty list": lambda cache: (cache.set("falsy", []), cache.get("falsy", 99)),
    "get False": lambda cache: (cache.set("falsy", False), cache.get("falsy", 99)),
    "get None": lambda cache: (cache.set("null", None), cache.get("null")),
    "get by version": lambda cache: (cache.get("key", version=2), cache.get("key", version=1)),
    "get many": lambda cache: cache.get_many(["key", "none", "falsy"]),
    "get many twice": lambda cache: cache.get_many(["key", "key"]),
    "get or set": lambda cache: (cache.get_or_set("new", 5), cache.get_or_set("new", 6)),
    "add": lambda cache: (cache.add("added", 1), cache.add("added", 1)),
    "set many": lambda cache: cache.set_many({"a": 1, "b": 2}),
    "incr": lambda cache: (cache.set("n", 1), cache.incr("n"), cache.decr("n")),
    "in": lambda cache: ("key" in cache, "none" in cache),
    "touch": lambda cache: (cache.touch("key", 60), cache.touch("none", 60)),
    "version": lambda cache: (cache.set("v", 1), cache.incr_version("v"), cache.get("v", version=2)),
    "delete": lambda cache: (cache.delete("key"), cache.delete("key")),
    "delete many": lambda cache: cache.delete_many(["a", "b"]),
    "clear": lambda cache: (cache.clear(), None)[1],
}
DOWN_STEPS: dict[str, Callable[[Any], object]] = {
    "get": lambda cache: cache.get("key", "default"),
    "get many": lambda cache: cache.get_many(["key", "none"]),
    "set": lambda cache: cache.set("key", 1),
}


def main(side: str, directory: str, *addresses: str) -> None:
    where = dict(each.split("=") for each in addresses) | {"locmem": "memory", "filebased": directory}
    aliases = {alias: alias for alias in BACKENDS} | DOWN
    configured: dict[str, dict[str, Any]] = {}
    for alias, location in where.items():
        backend = BACKENDS[aliases[alias]][side == "theirs"]
        configured[alias] = {"BACKEND": backend, "LOCATION": location, "KEY_PREFIX": side}
    if "redis_ignored" in configured:
        configured["redis_ignored"]["OPTIONS"] = {"IGNORE_EXCEPTIONS": True}
    configured["default"] = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    settings.configure(CACHES=configured, INSTALLED_APPS=[])
    django.setup()
    if side == "ours":
        with CacheRecording() as recording:
            found = _run(where, aliases, lambda kind: [int(count) for count in recording.counts(kind)])
            assert [] == recording.dropped(), recording.dropped()
    else:
        found = _run(where, aliases, _counted_by_django_prometheus)
    print(json.dumps(found))


def _run(where: dict[str, str], aliases: dict[str, str], counts: Callable[[str], list[int]]) -> dict[str, Any]:
    """For each cache and step: what was returned, and what gets, hits, misses and failures it added."""
    found: dict[str, Any] = {}
    for alias in where:
        steps = DOWN_STEPS if alias in DOWN else STEPS
        for name, step in steps.items():
            before = counts(aliases[alias])
            try:
                returned = repr(step(caches[alias]))
            except Exception as exc:  # noqa: BLE001
                returned = type(exc).__name__
            after = counts(aliases[alias])
            added = [new - old for old, new in zip(before, after, strict=True)]
            found.setdefault(alias, {})[name] = [returned, added]
    return found


def _counted_by_django_prometheus(kind: str) -> list[int]:
    from prometheus_client import REGISTRY

    return [int(REGISTRY.get_sample_value(name, {"backend": kind}) or 0) for name in BY_BACKEND]


if __name__ == "__main__":
    main(*sys.argv[1:])
