"""For settings that name it."""

from __future__ import annotations

from django.core.cache.backends import locmem


class LocMemCache(locmem.LocMemCache):
    """Django's own."""
