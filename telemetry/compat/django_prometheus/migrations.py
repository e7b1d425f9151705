"""Migrations by database: the gauges, and their refreshing at once, as in django-prometheus 2.5.0.

Where `PROMETHEUS_EXPORT_MIGRATIONS` is true the scrapes see to that, and nobody needs to call anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connections

from telemetry.catalogue.migrations import migration_catalogue
from telemetry.compat.django_prometheus import _home
from telemetry.compat.django_prometheus._recorded import Gauge
from telemetry.compat.django_prometheus.conf import NAMESPACE
from telemetry.instrumentation.migrations import count, migrated
from telemetry.spec import Layout, Projection

if TYPE_CHECKING:
    from django.db.migrations.executor import MigrationExecutor


def _gauge(projection: Projection, layout: Layout) -> Gauge:
    family = projection.family
    return Gauge(family.name, family.help, family.labels, NAMESPACE, layout=layout)


_catalogue = migration_catalogue()
unapplied_migrations = _gauge(_catalogue.projections[0], _catalogue.unapplied)
applied_migrations = _gauge(_catalogue.projections[1], _catalogue.applied)


def ExportMigrationsForDatabase(alias: str, executor: MigrationExecutor) -> None:
    """Set both gauges of one database.

    Raises:
        django.db.DatabaseError: the executor's database does not answer.
    """
    unapplied, applied = count(executor)
    unapplied_migrations.labels(alias).set(unapplied)
    applied_migrations.labels(alias).set(applied)


def ExportMigrations() -> None:
    """Set the gauges of every database, in this thread; one that does not answer keeps its last value."""
    # Late: importing it needs all apps to be ready.
    from django.db.migrations.executor import MigrationExecutor

    _home.home.connect()
    for alias in connections:
        try:
            connection = migrated(alias)
            if connection is not None:
                ExportMigrationsForDatabase(alias, MigrationExecutor(connection))
        except Exception as exc:  # noqa: BLE001 - at start-up, most of all
            _home.home.failed("migrations.refresh", exc)
