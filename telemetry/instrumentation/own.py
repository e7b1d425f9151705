"""The layer's own health as families."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from telemetry.catalogue import own as catalogue
from telemetry.projections import evaluate_all
from telemetry.samples import FamilySamples, Reading


def series(found: Iterable[FamilySamples]) -> FamilySamples:
    """How many series each of the families has; those of several parts under one name are added up."""
    counts: Counter[str] = Counter()
    for each in found:
        counts[each.family.name] += len(each.series)
    return FamilySamples(catalogue.SERIES, [((("family", name),), float(counts[name])) for name in sorted(counts)])


def families(reading: Reading, *, degraded: bool) -> list[FamilySamples]:
    """Drops, overflows and the state of the store over one read.

    `degraded` tells whether this process counts in its own memory only.
    """
    states = {
        catalogue.SEGMENTS: len(reading.processes),
        catalogue.FILES: reading.files,
        catalogue.BYTES: reading.bytes,
        catalogue.DEGRADED: int(degraded),
        catalogue.LOST: reading.lost,
        catalogue.SERVING_ANCHORS: reading.serving_anchors,
        catalogue.CORRUPT: reading.corrupt,
        catalogue.CONFLICTS: reading.conflicts,
    }
    found = [FamilySamples(family, [((), float(value))]) for family, value in states.items()]
    return [*evaluate_all(catalogue.PROJECTIONS, reading), *found]
