"""GeoDjango's engine for SQLite."""

from __future__ import annotations

from django.contrib.gis.db.backends.spatialite import base
from django.contrib.gis.db.backends.spatialite.features import DatabaseFeatures
from django.db.backends.sqlite3.base import SQLiteCursorWrapper

from telemetry.compat.django_prometheus.db.common import DatabaseWrapperMixin

__all__ = ["DatabaseFeatures", "DatabaseWrapper"]


class DatabaseWrapper(DatabaseWrapperMixin, base.DatabaseWrapper):
    """That of GeoDjango."""

    CURSOR_CLASS = SQLiteCursorWrapper
