"""Backends as projects write them, and settings that name them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache, InvalidCacheKey
from django.core.cache.backends.locmem import LocMemCache

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


def settings(directory: Path) -> dict[str, dict[str, str]]:
    """`CACHES` with Django's own in memory, in files and in none, and those of this module by their lower names."""
    named = {
        cls.__name__.lower(): {"BACKEND": f"{HERE}.{cls.__name__}", "LOCATION": str(directory / cls.__name__)}
        for cls in (Shouting, Computing, Sparse, Tiered, Native, Forking, Broken, Picky, Duck)
    }
    django = "django.core.cache.backends"
    return {
        "default": {"BACKEND": f"{django}.locmem.LocMemCache", "LOCATION": str(directory)},
        "files": {"BACKEND": f"{django}.filebased.FileBasedCache", "LOCATION": str(directory)},
        "dummy": {"BACKEND": f"{django}.dummy.DummyCache"},
        **named,
    }
