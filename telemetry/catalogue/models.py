"""Models: the records that written rows leave, and the families derived from them.

Names, types, labels and HELP are those of django-prometheus 2.5.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from telemetry.spec import Family, FamilyType, Kind, Layout, Projection, Source


@dataclass(frozen=True, slots=True)
class ModelCatalogue:
    """Rows inserted, updated and deleted, by the name under which their model is counted."""

    inserts: Layout
    updates: Layout
    deletes: Layout
    projections: tuple[Projection, ...]


def model_catalogue(names: Iterable[str] = ()) -> ModelCatalogue:
    """The catalogue; `names` are shown as 0 before their first operation."""
    zeros = tuple((name,) for name in dict.fromkeys(names))

    def family(operation: str) -> tuple[Layout, Projection]:
        layout = Layout(f"models.{operation}s", Kind.SUM, ("model",))
        shown = Family(
            f"django_model_{operation}s_total",
            FamilyType.COUNTER,
            f"Number of {operation} operations by model.",
            layout.labels,
        )
        return layout, Projection(shown, (Source(layout),), zeros)

    inserts, updates, deletes = family("insert"), family("update"), family("delete")
    return ModelCatalogue(inserts[0], updates[0], deletes[0], (inserts[1], updates[1], deletes[1]))
