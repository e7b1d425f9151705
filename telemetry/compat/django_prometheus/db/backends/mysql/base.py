"""Django's engine for MySQL and MariaDB."""

from __future__ import annotations

from typing import Any

from django.db.backends.mysql import base
from django.db.backends.mysql.features import DatabaseFeatures

from telemetry.compat.django_prometheus.db.common import DatabaseWrapperMixin

__all__ = ["DatabaseFeatures", "DatabaseWrapper"]


class DatabaseWrapper(DatabaseWrapperMixin, base.DatabaseWrapper):
    """That of Django."""

    CURSOR_CLASS = base.CursorWrapper

    def create_cursor(self, name: str | None = None) -> Any:
        """A cursor of the driver's connection, in Django's wrapper for MySQL."""
        return self.CURSOR_CLASS(self.connection.cursor())
