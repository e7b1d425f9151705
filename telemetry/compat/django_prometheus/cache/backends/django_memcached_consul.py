"""For settings that name it. Needs django-memcached-consul."""

from __future__ import annotations

from django_memcached_consul import memcached  # type: ignore[import-not-found]


class MemcachedCache(memcached.MemcachedCache):  # type: ignore[misc]
    """That of django-memcached-consul."""
