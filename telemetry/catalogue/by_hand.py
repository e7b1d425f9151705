"""What a project's own code adds to the built-in families: `execute_total.labels(alias, vendor).inc()`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from telemetry.errors import SpecError
from telemetry.spec import Family, FamilyType, Kind, Layout, Projection, Source

_KINDS = {FamilyType.COUNTER: Kind.SUM, FamilyType.HISTOGRAM: Kind.HISTOGRAM}


def by_hand(family: Family) -> Layout:
    """The record of what is added to this family by hand; `family` as in the catalogue, without a namespace.

    Raises:
        SpecError: the family is no counter and no histogram.
    """
    return Layout(f"by_hand.{family.name}", _kind(family), family.labels, family.buckets)


def with_by_hand(projections: Iterable[Projection]) -> tuple[Projection, ...]:
    """The projections, those of `django_*` counters and histograms with what was added by hand."""
    return tuple(_with_by_hand(each) for each in projections)


def _with_by_hand(projection: Projection) -> Projection:
    family = projection.family
    if family.type not in _KINDS or not family.name.startswith("django_"):
        return projection
    return replace(projection, sources=(*projection.sources, Source(by_hand(family))))


def _kind(family: Family) -> Kind:
    kind = _KINDS.get(family.type)
    if kind is None:
        raise SpecError(f"family {family.name!r}: nothing can be added by hand to a {family.type.value}")
    return kind
