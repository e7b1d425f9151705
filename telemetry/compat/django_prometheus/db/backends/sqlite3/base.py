"""Django's engine for SQLite."""

from __future__ import annotations

from django.db.backends.sqlite3 import base
from django.db.backends.sqlite3.features import DatabaseFeatures

from telemetry.compat.django_prometheus.db.common import DatabaseWrapperMixin

__all__ = ["DatabaseFeatures", "DatabaseWrapper"]


class DatabaseWrapper(DatabaseWrapperMixin, base.DatabaseWrapper):
    """That of Django."""

    CURSOR_CLASS = base.SQLiteCursorWrapper
