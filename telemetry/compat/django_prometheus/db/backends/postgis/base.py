"""GeoDjango's engine for PostgreSQL."""

from __future__ import annotations

from django.contrib.gis.db.backends.postgis import base

from telemetry.compat.django_prometheus.db.common import DatabaseWrapperMixin


class DatabaseWrapper(DatabaseWrapperMixin, base.DatabaseWrapper):
    """That of GeoDjango."""
