"""For settings that name them."""

from __future__ import annotations

from django.core.cache.backends import memcached


class PyLibMCCache(memcached.PyLibMCCache):
    """Django's own; needs pylibmc when it is made."""


class PyMemcacheCache(memcached.PyMemcacheCache):
    """Django's own; needs pymemcache when it is made."""
