"""What cache operations leave in the store, for every cache, without a change of `BACKEND`.

The operations are wrapped on the cache classes, each in the class that defines it: instances keep
their type and their attributes, and can be copied and pickled.

Of operations that a cache object makes of its own others, only the outermost is recorded: a
`get_many` that loops over `get`, an `incr` that gets and sets, an `aget` that runs `get` in a
thread. `get_or_set`, `incr_version` and `decr_version` are no operations by themselves: what they
are made of is recorded. What only a certain backend has (`ttl`, `lock`) is left alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial, wraps
from time import perf_counter
from types import FunctionType
from typing import Any

from django.core.cache import CacheHandler, caches
from django.core.cache.backends.base import BaseCache

from telemetry.catalogue.cache import ERROR, HIT, MISS, YES, CacheCatalogue
from telemetry.instrumentation._cache_calls import OPERATIONS, Call, replacement
from telemetry.instrumentation.guard import Bounded, Guard
from telemetry.instrumentation.underway import exemplar
from telemetry.store import Store

_KINDS = {
    "django.core.cache.backends.filebased.FileBasedCache": "filebased",
    "django.core.cache.backends.locmem.LocMemCache": "locmem",
    "django.core.cache.backends.memcached.BaseMemcachedCache": "memcached",
    "django.core.cache.backends.redis.RedisCache": "native_redis",
    "django.core.cache.backends.db.DatabaseCache": "db",
    "django.core.cache.backends.dummy.DummyCache": "dummy",
    "django_redis.cache.RedisCache": "redis",
    "django_memcached_consul.memcached.MemcachedCache": "django_memcached_consul",
}
"""A cache class to its `backend` label, which its subclasses share; any other class has its own name."""

_LABELS = "_telemetry_labels"


class CacheInstrumentation:
    """Records cache operations from `install()` to `uninstall()`.

    `limit` is how many values a process records of a label that settings or classes make.
    """

    def __init__(self, store: Store, catalogue: CacheCatalogue, guard: Guard, *, limit: int = 1000) -> None:
        self.current: ContextVar[Call | None] = ContextVar("telemetry_cache_call", default=None)
        self._guard = guard
        self._operation = store.table(catalogue.operation)
        self._operation_sampled = store.table(catalogue.operation_sampled)
        self._looked_up = store.table(catalogue.looked_up)
        self._alias = Bounded("cache.alias", limit, guard)
        self._backend = Bounded("cache.backend", limit, guard)
        self._installed = False
        self._kinds: dict[type, str] = {}
        self._seen: set[type] = set()
        self._replaced: dict[tuple[type, str], tuple[Any, Any]] = {}

    def install(self) -> None:
        """See every cache: those that exist, in any thread, and those to come. Idempotent."""
        if self._installed:
            return
        self._installed = True
        _installed.append(self)
        self._replace(CacheHandler, "create_connection", self._creating)
        self._replace(BaseCache, "__init__", self._initializing)
        for cls in _with_subclasses(BaseCache):
            self._see(cls)

    def uninstall(self) -> None:
        """Leave every class as it was found. Idempotent."""
        if not self._installed:
            return
        self._installed = False
        _installed.remove(self)
        for (cls, name), (original, ours) in list(self._replaced.items()):
            # Who has wrapped ours since goes on calling it; it then passes everything on.
            if cls.__dict__.get(name) is ours:
                setattr(cls, name, original)
        self._replaced.clear()
        self._seen.clear()

    def ended(self, call: Call) -> None:
        """Record the current call. Never raises."""
        elapsed = perf_counter() - call.start
        # Not by token: a coroutine may be closed in another context than it was begun in.
        self.current.set(call.outer)
        try:
            if not self._installed:
                return
            alias, backend = call.cache.__dict__.get(_LABELS) or self._label(call.cache, _alias(call.cache))
            if call.interrupted:
                call.result = ERROR
            self._operation.observe((alias, backend, call.operation, call.result, call.by_hand), elapsed)
            kept = exemplar(elapsed)
            if kept is not None:
                self._operation_sampled.observe((alias, call.operation), elapsed, kept)
            if call.operation == "get_many":
                for result, count in _looked_up(call).items():
                    if count > 0:
                        self._looked_up.add((alias, backend, result, call.by_hand), count)
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("cache.record", exc)
        finally:
            # What was begun in this context may outlive the call: no later one is part of it.
            call.cache = None

    def _label(self, cache: Any, alias: str) -> tuple[str, str]:
        """The alias and the kind of a cache, kept with it."""
        cls = type(cache)
        # Kept, for under ASGI each request makes its own caches.
        kind = self._kinds.get(cls) or self._kinds.setdefault(cls, self._backend(_kind(cls)))
        labels = self._alias(alias), kind
        cache.__dict__[_LABELS] = labels
        return labels

    def _creating(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def create_connection(handler: CacheHandler, alias: str) -> Any:
            cache = original(handler, alias)
            try:
                if self._installed:
                    self._see(type(cache))
                    self._label(cache, alias)
            except Exception as exc:  # noqa: BLE001
                self._guard.failed("cache.create", exc)
            return cache

        return create_connection

    def _initializing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """For caches that are made without the settings."""

        @wraps(original)
        def __init__(cache: BaseCache, *args: Any, **kwargs: Any) -> None:
            original(cache, *args, **kwargs)
            if self._installed:
                self._see(type(cache))

        return __init__

    def _see(self, cls: type) -> None:
        """Have the operations of a class, and of those it inherits from, recorded."""
        if cls in self._seen:
            return
        try:
            self._seen.add(cls)
            for base in cls.__mro__:
                for name, operation in OPERATIONS.items():
                    if isinstance(base.__dict__.get(name), FunctionType):
                        self._replace(base, name, partial(replacement, self, operation=operation))
                if _name(base) == "django_redis.cache.RedisCache":
                    interrupted = sys.modules["django_redis.exceptions"].ConnectionInterrupted
                    self._replace(interrupted, "__init__", self._interrupting)
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("cache.see", exc)

    def _interrupting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """django-redis may be told to ignore this exception: then nobody else sees it."""

        @wraps(original)
        def __init__(exception: BaseException, *args: Any, **kwargs: Any) -> None:
            original(exception, *args, **kwargs)
            call = self.current.get()
            if call is not None:
                call.interrupted = True

        return __init__

    def _replace(self, cls: type, name: str, make: Callable[[Any], Any]) -> None:
        if (cls, name) in self._replaced:
            return
        original = cls.__dict__[name]
        ours = make(original)
        # Of two threads that see a class for the first time, one replaces.
        if self._replaced.setdefault((cls, name), (original, ours))[1] is ours:
            setattr(cls, name, ours)


_installed: list[CacheInstrumentation] = []


def counted_by_hand() -> None:
    """The backend that is at work has counted by itself what it does. Never raises."""
    for instrumentation in _installed:
        call = instrumentation.current.get()
        if call is not None:
            call.by_hand = YES


def _with_subclasses(cls: type) -> Iterator[type]:
    yield cls
    subclasses: list[type] = cls.__subclasses__()
    for subclass in subclasses:
        yield from _with_subclasses(subclass)


def _looked_up(call: Call) -> dict[str, int]:
    """The keys of a `get_many` by result. One that stands twice is looked up twice, and found once in the answer."""
    asked = len(call.keys)
    if call.result == ERROR:
        return {ERROR: asked}
    found = len(call.found) if len(set(call.keys)) == asked else sum(key in call.found for key in call.keys)
    return {HIT: found, MISS: asked - found}


def _alias(cache: Any) -> str:
    """The alias of a cache that existed before `install()`; empty for one that is not of the settings."""
    connections = caches._connections  # type: ignore[attr-defined]
    return next((alias for alias in caches if getattr(connections, alias, None) is cache), "")


def _kind(cls: type) -> str:
    return next((_KINDS[_name(base)] for base in cls.__mro__ if _name(base) in _KINDS), _name(cls))


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
