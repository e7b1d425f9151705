"""Django's engine for PostgreSQL."""

from __future__ import annotations

from django.db.backends.postgresql import base

from telemetry.compat.django_prometheus.db.common import DatabaseWrapperMixin


class DatabaseWrapper(DatabaseWrapperMixin, base.DatabaseWrapper):
    """That of Django."""
