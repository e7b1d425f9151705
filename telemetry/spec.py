"""What a metric is: stored records (layouts), exposed families, and the projections between them.

Definitions are checked when they are made, never while recording: a bad one raises
`SpecError` at import or start-up and names the offender.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from telemetry.errors import SpecError

# https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels
_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")

OVERFLOW = "__overflow__"
"""The label value that stands for all values beyond a cardinality limit; totals stay exact."""


class Kind(StrEnum):
    """How the cells of a stored series combine, within a process and across processes."""

    SUM = "sum"
    """Added up over all processes, the dead included."""
    UPDOWN = "updown"
    """Added up over the living; the share of a process dies with it."""
    MAX = "max"
    """The largest value that any process, living or dead, recorded."""
    LAST = "last"
    """The value recorded last, by time, by any process, living or dead."""
    HISTOGRAM = "histogram"
    """Bucket counts and a sum, added up over all processes, the dead included."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One stored record: its name, how it combines, the names of its key's parts, its bucket edges.

    `name` identifies the record in the store. Two processes with the same name and another
    layout never get added up. `labels` name the positions of the key; empty for records whose
    keys carry their own names (OpenTelemetry attributes) and for label-less ones.
    `edges` are the upper, inclusive bounds of a histogram's buckets, without `+Inf`.
    `min_max` keeps a histogram's extremes; `exemplars` reserves one exemplar a bucket.

    Raises:
        SpecError: a name is empty, edges are not finite or not rising, or given for another kind.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    min_max: bool = False
    exemplars: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            raise SpecError("layout: the name is empty; give a non-empty string")
        _check_edges(f"layout {self.name!r}", self.edges)
        if self.kind is not Kind.HISTOGRAM and (self.edges or self.min_max or self.exemplars):
            raise SpecError(
                f"layout {self.name!r}: edges, min_max and exemplars belong to a histogram, "
                f"not to kind {self.kind.value!r}"
            )

    @property
    def width(self) -> int:
        """Number of value cells (8 bytes each) of one series, exemplars not included.

        SUM, UPDOWN, MAX: 1 (value). LAST: 2 (value, Unix time in seconds; 0 = never set).
        HISTOGRAM: len(edges) + 1 bucket counts (not cumulative), the sum, then min and max
        when `min_max`.
        """
        if self.kind is Kind.HISTOGRAM:
            return len(self.edges) + 2 + (2 if self.min_max else 0)
        return 2 if self.kind is Kind.LAST else 1


class FamilyType(StrEnum):
    """The type on a family's TYPE line, in the words of the text format 0.0.4."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    UNTYPED = "untyped"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Family:
    """One family as it stands on `/metrics`.

    `name` is the full name on the TYPE line of the text format 0.0.4 (a counter's includes
    `_total`). `labels` are label names in any order; the exposition sorts them.
    `buckets` are a histogram's upper bounds without `+Inf`, in the unit of the family.

    Raises:
        SpecError: a name or label is not valid in Prometheus, or buckets are not rising.
    """

    name: str
    type: FamilyType
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    unit: str = ""

    def __post_init__(self) -> None:
        if not _METRIC_NAME.match(self.name):
            raise SpecError(f"family {self.name!r}: not a metric name; valid is [a-zA-Z_:][a-zA-Z0-9_:]*")
        for label in self.labels:
            if not _LABEL_NAME.match(label) or label.startswith("__"):
                raise SpecError(
                    f"family {self.name!r}: label {label!r} is not valid; [a-zA-Z_][a-zA-Z0-9_]*, not beginning with __"
                )
        if len(set(self.labels)) != len(self.labels):
            raise SpecError(f"family {self.name!r}: a label stands twice in {self.labels!r}")
        if self.buckets and self.type is not FamilyType.HISTOGRAM:
            raise SpecError(f"family {self.name!r}: buckets belong to a histogram, not to a {self.type.value}")
        _check_edges(f"family {self.name!r}", self.buckets)


class Part(StrEnum):
    """Which processes a source reads."""

    ALL = "all"
    LIVING = "living"
    GONE = "gone"


class Take(StrEnum):
    """What a source takes from each stored series."""

    VALUE = "value"
    """The value of a sum, up-down, maximum or last value; the whole of a histogram."""
    COUNT = "count"
    """A histogram's number of observations."""
    SUM = "sum"
    """A histogram's sum."""


@dataclass(frozen=True, slots=True)
class Source:
    """One stored record as an input of a projection.

    `rename` maps an exposed label to the record's label where the two names differ.
    `values` maps an exposed label's recorded values to the shown ones; others are shown as they are.
    `where` keeps only series whose label has one of the values, `unless` only those whose has none.
    `sign` is +1, -1, or 0 for a source of exemplars alone, or of series that show as 0 before their first event.
    """

    layout: Layout
    take: Take = Take.VALUE
    rename: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, frozenset[str]] = field(default_factory=dict)
    sign: int = 1
    part: Part = Part.ALL
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unless: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Projection:
    """A family derived at collection from stored records: sources summed by the labels kept.

    With no source the family is constant 0. `zeros` are label values shown as 0 before their
    first record. `floor` is the least value shown (an in-flight gauge never falls below 0).

    Raises:
        SpecError: a label, a bucket or a filter is not in a source's record.
    """

    family: Family
    sources: tuple[Source, ...]
    zeros: tuple[tuple[str, ...], ...] = ()
    floor: float | None = None

    def __post_init__(self) -> None:
        for source in self.sources:
            have = source.layout.labels
            shown = (source.rename.get(name, name) for name in self.family.labels)
            for label in (*shown, *source.where, *source.unless):
                if label not in have:
                    raise SpecError(
                        f"projection {self.family.name!r}: record {source.layout.name!r} has no label {label!r}; "
                        f"it has {have!r}"
                    )
            for label in source.values:
                if label not in self.family.labels:
                    raise SpecError(
                        f"projection {self.family.name!r}: values are given for label {label!r}; "
                        f"the family has {self.family.labels!r}"
                    )
            histogram = self.family.type is FamilyType.HISTOGRAM
            if histogram and not set(self.family.buckets) <= set(source.layout.edges):
                missing = sorted(set(self.family.buckets) - set(source.layout.edges))
                raise SpecError(
                    f"projection {self.family.name!r}: buckets {missing} are not edges of record {source.layout.name!r}"
                )
            if source.take is not Take.VALUE and source.layout.kind is not Kind.HISTOGRAM:
                raise SpecError(
                    f"projection {self.family.name!r}: {source.take.value!r} needs a histogram, "
                    f"record {source.layout.name!r} is {source.layout.kind.value!r}"
                )


def _check_edges(owner: str, edges: tuple[float, ...]) -> None:
    if not all(math.isfinite(edge) for edge in edges):
        raise SpecError(f"{owner}: edges {edges!r} must be finite (+Inf is implied)")
    if any(low >= high for low, high in itertools.pairwise(edges)):
        raise SpecError(f"{owner}: edges {edges!r} must rise strictly")
