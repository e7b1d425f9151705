"""Migrations: how many a database has, and how many it lacks.

Names, types, labels and HELP are those of django-prometheus 2.5.0. That they are gauges named `_total` is
part of its contract.
"""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.spec import Family, FamilyType, Kind, Layout, Projection, Source


@dataclass(frozen=True, slots=True)
class MigrationCatalogue:
    """What a process last found in a database, by alias; the newest finding of all processes is shown."""

    unapplied: Layout
    applied: Layout
    projections: tuple[Projection, ...]


def migration_catalogue() -> MigrationCatalogue:
    """The catalogue; a family without samples is on the page all the same."""

    def family(state: str) -> tuple[Layout, Projection]:
        layout = Layout(f"migrations.{state}", Kind.LAST, ("connection",))
        shown = Family(
            f"django_migrations_{state}_total",
            FamilyType.GAUGE,
            f"Count of {state} migrations by database connection",
            layout.labels,
        )
        return layout, Projection(shown, (Source(layout),))

    unapplied, applied = family("unapplied"), family("applied")
    return MigrationCatalogue(unapplied[0], applied[0], (unapplied[1], applied[1]))
