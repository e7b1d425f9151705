"""What a read gives: cells merged over processes, and families ready for the exposition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import add

from telemetry.spec import Family, Kind, Layout

Scalar = str | bool | int | float
Key = tuple[object, ...]
"""A series' key: label values in the order of `Layout.labels`, or `(name, value)` pairs.
Anything JSON can hold (str, bool, int, float and tuples of them); the store gives it no meaning."""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One sampled measurement: value, Unix time in seconds, trace and span id as integers."""

    value: float
    time: float
    trace_id: int
    span_id: int


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A living process that has a segment: its pid, its start time (clock ticks since boot,
    0 where unknown) and the id of its segment."""

    pid: int
    start_ticks: int
    segment: int


@dataclass(slots=True)
class TableReading:
    """All series of one record, kept apart by whether their process lives.

    The lists hold `Layout.width` cells in the order told there.
    """

    layout: Layout
    living: dict[Key, list[float]] = field(default_factory=dict)
    gone: dict[Key, list[float]] = field(default_factory=dict)
    exemplars: dict[Key, dict[int, Exemplar]] = field(default_factory=dict)
    """By key and bucket number, the newest of all processes."""

    def series(self) -> dict[Key, list[float]]:
        """The series over all processes, combined as `Layout.kind` says; fresh lists."""
        merged = {key: list(cells) for key, cells in self.living.items()}
        if self.layout.kind is not Kind.UPDOWN:
            for key, cells in self.gone.items():
                mine = merged.get(key)
                if mine is None:
                    merged[key] = list(cells)
                else:
                    combine(self.layout, mine, cells)
        return merged


def combine(layout: Layout, into: list[float], other: Sequence[float]) -> None:
    """Fold the cells `other` of one series into `into`, in place, as the layout's kind says."""
    kind = layout.kind
    if kind is Kind.MAX:
        if other[0] > into[0]:
            into[0] = other[0]
    elif kind is Kind.LAST:
        if other[1] > into[1]:
            into[0], into[1] = other[0], other[1]
    elif layout.min_max:
        low, high = min(into[-2], other[-2]), max(into[-1], other[-1])
        into[:] = map(add, into, other)
        into[-2], into[-1] = low, high
    else:
        into[:] = map(add, into, other)


@dataclass(slots=True)
class Reading:
    """One consistent read of the store: no total in it is below an earlier read's.

    `start_time` is the Unix time in seconds at which the generation began; `instance_id` is
    the same for every process of the generation.
    """

    generation: int
    start_time: float
    instance_id: str
    tables: dict[str, TableReading]
    processes: tuple[ProcessInfo, ...] = ()
    serving_anchors: int = 0
    """How many living pre-fork parents have processes in this store; two services share it if > 1."""
    conflicts: int = 0
    """Layouts hidden because a newer one of the same name differs."""
    corrupt: int = 0
    """Files skipped because they do not hold what their header promises."""
    files: int = 0
    bytes: int = 0
    lost: float = 0.0
    """Measurements that found no room (a full disk, too many series), of all processes, the dead included."""


@dataclass(slots=True)
class HistogramValue:
    """Counts per bucket (not cumulative, the last is +Inf's), the sum, and exemplars by bucket."""

    counts: list[float]
    sum: float
    exemplars: Mapping[int, Exemplar] = field(default_factory=dict)

    @property
    def count(self) -> float:
        """The number of observations: the sum of the buckets, so that no read can see them differ."""
        return sum(self.counts)


Labels = tuple[tuple[str, str], ...]
"""`(name, value)` pairs of one series, sorted by name."""


@dataclass(slots=True)
class FamilySamples:
    """A family and its series. `edges` are a histogram's upper bounds without +Inf.

    `created` is the Unix time in seconds since which the values count (OpenMetrics `_created`),
    None where it is not known.
    """

    family: Family
    series: list[tuple[Labels, float | HistogramValue]]
    created: float | None = None
    exemplars: Mapping[Labels, Exemplar] = field(default_factory=dict)
    """Of a counter's series; a histogram's stand with its buckets."""
