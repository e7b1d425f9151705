"""For settings that name them. Needs django-redis, for both classes, as the original does."""

from __future__ import annotations

from django.core.cache.backends import redis
from django_redis import cache  # type: ignore[import-untyped]


class RedisCache(cache.RedisCache):  # type: ignore[misc]
    """That of django-redis."""


class NativeRedisCache(redis.RedisCache):
    """Django's own; needs redis when it is made."""
