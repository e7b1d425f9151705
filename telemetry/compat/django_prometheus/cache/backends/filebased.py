"""For settings that name it."""

from __future__ import annotations

from django.core.cache.backends import filebased


class FileBasedCache(filebased.FileBasedCache):
    """Django's own."""
