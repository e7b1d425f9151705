"""What both text formats share: one family a name, numbers, escaping, and line prefixes kept between scrapes."""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import accumulate
from typing import ClassVar, NamedTuple

from prometheus_client import Metric
from prometheus_client.registry import Collector

from telemetry.samples import Exemplar, FamilySamples, HistogramValue, Labels
from telemetry.spec import Family, FamilyType

_logger = logging.getLogger("telemetry.exposition")

_MAX_REPORTS = 1000
"""How many families are remembered as left out, so that each is logged once."""


class Prefixes(NamedTuple):
    """All that stands before the values of one series' lines; empty where the series has no such line."""

    values: tuple[str, ...]
    """Before its one value, or before each bucket's."""
    count_line: str = ""
    sum_line: str = ""
    created_line: str = ""


class Encoder(ABC):
    """Writes families in one format; safe under threads.

    From scrape to scrape a line changes in its value only: what stands before the value is
    rendered once and kept while the series is seen, for at most `limit` series.
    """

    end: ClassVar[bytes] = b""
    """What closes the page."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: dict[tuple[Family, str], dict[Labels, Prefixes]] = {}
        self._reported: set[str] = set()

    def render(self, families: Iterable[FamilySamples], foreign: Iterable[Metric] = ()) -> bytes:
        """The page: `families`, then the metrics of other collectors (`foreign`) as prometheus_client writes them.

        What clashes with the name of something before it, and what cannot be written, is left out
        and logged once; the rest of the page stands.
        """
        unique = self._unique(families)
        others, taken = self._beside(unique, foreign)
        declared = self._declare(unique, taken)
        kept: dict[tuple[Family, str], dict[Labels, Prefixes]] = {}
        room = self._limit
        lines: list[str] = []
        for name, samples in unique.items():
            prefixes: dict[Labels, Prefixes] = {}
            try:
                lines += self._family(samples, *declared[name], prefixes)
            except Exception as error:  # noqa: BLE001 - one family must not cost the page
                self._leave_out(name, repr(error))
            room -= len(prefixes)
            if room >= 0:
                kept[samples.family, declared[name][1]] = prefixes
        self._kept = kept
        return b"".join(("".join(lines).encode("utf-8", "replace"), *self._foreign(others), self.end))

    def _unique(self, families: Iterable[FamilySamples]) -> dict[str, FamilySamples]:
        unique: dict[str, FamilySamples] = {}
        for samples in families:
            if unique.setdefault(samples.family.name, samples) is not samples:
                self._leave_out(samples.family.name, "another family has its name")
        return unique

    def _beside(self, ours: Mapping[str, FamilySamples], foreign: Iterable[Metric]) -> tuple[list[Metric], set[str]]:
        """The foreign metrics that clash with nothing, and their names."""
        others: list[Metric] = []
        taken: set[str] = set()
        for metric in foreign:
            names = _foreign_names(metric)
            if names.isdisjoint(ours) and names.isdisjoint(taken):
                others.append(metric)
                taken |= names
            else:
                self._leave_out(metric.name, "another family has its name")
        return others, taken

    @abstractmethod
    def _declare(self, families: Mapping[str, FamilySamples], foreign: Set[str]) -> dict[str, tuple[str, str]]:
        """The name and the type on the TYPE line of each family; `foreign` are names that others have."""

    @abstractmethod
    def _head(self, family: Family, name: str, type_: str) -> str:
        """The lines before a family's samples."""

    @abstractmethod
    def _encode(self, collector: Collector) -> bytes:
        """What prometheus_client's own encoder makes of a collector, without the page's end."""

    def _family(self, samples: FamilySamples, name: str, type_: str, prefixes: dict[Labels, Prefixes]) -> list[str]:
        """The lines of a family; `prefixes` receives those of its series."""
        family = samples.family
        known = self._kept.get((family, type_), {})
        lines = [self._head(family, name, type_)]
        for labels, value in samples.series:
            prefix = prefixes[labels] = known.get(labels) or self._prefixes(family, labels, name, type_)
            self._series(lines, prefix, value)
            if samples.exemplars and type_ == "counter" and labels in samples.exemplars:
                lines[-1] = f"{lines[-1][:-1]}{self._after(samples.exemplars[labels])}\n"
            if prefix.created_line and samples.created is not None:
                lines.append(f"{prefix.created_line}{number(samples.created)}\n")
        return lines

    def _after(self, exemplar: Exemplar) -> str:
        """What stands after the value of a counter that has an exemplar."""
        return ""

    def _series(self, lines: list[str], prefix: Prefixes, value: float | HistogramValue) -> None:
        if isinstance(value, HistogramValue):
            counts = list(accumulate(value.counts, initial=0.0))
            # A summary shows no buckets.
            for bucket, count in zip(prefix.values, counts[1:], strict=bool(prefix.values)):
                lines.append(f"{bucket}{number(count)}\n")
            if prefix.count_line:
                lines.append(f"{prefix.count_line}{number(counts[-1])}\n{prefix.sum_line}{number(value.sum)}\n")
        else:
            (only,) = prefix.values
            lines.append(f"{only}{number(value)}\n")

    def _prefixes(self, family: Family, labels: Labels, name: str, type_: str) -> Prefixes:
        pairs = sorted((label, f'{label}="{escape(value)}"') for label, value in labels)
        inner = ",".join(text for _, text in pairs)
        end = f"{{{inner}}} " if inner else " "
        if family.type is FamilyType.SUMMARY:
            return Prefixes((), f"{family.name}_count{end}", f"{family.name}_sum{end}")
        if family.type is not FamilyType.HISTOGRAM:
            return Prefixes((f"{family.name}{end}",))
        if any(label == "le" for label, _ in labels):
            raise ValueError("a histogram cannot have a label 'le' of its own")
        before = "".join(f"{text}," for label, text in pairs if label < "le")
        after = "".join(f",{text}" for label, text in pairs if label > "le")
        buckets = (
            f'{family.name}_bucket{{{before}le="{number(edge)}"{after}}} ' for edge in (*family.buckets, math.inf)
        )
        return Prefixes(tuple(buckets), f"{family.name}_count{end}", f"{family.name}_sum{end}")

    def _foreign(self, metrics: Iterable[Metric]) -> Iterator[bytes]:
        for metric in metrics:
            try:
                yield self._encode(_One(metric))
            except Exception as error:  # noqa: BLE001 - one family must not cost the page
                self._leave_out(metric.name, repr(error))

    def _leave_out(self, name: str, why: str) -> None:
        if name not in self._reported and len(self._reported) < _MAX_REPORTS:
            self._reported.add(name)
            _logger.warning("metric family %r is left out of the page: %s", name, why)


def _foreign_names(metric: Metric) -> set[str]:
    """The names of one of prometheus_client's metrics in OpenMetrics and in the text format 0.0.4."""
    return {metric.name, metric.name + {"counter": "_total", "info": "_info"}.get(metric.type, "")}


class _One(Collector):
    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        return (self._metric,)


def number(value: float) -> str:
    """A value or bucket edge as prometheus_client writes it: `12.5`, `1.048576e+06`, `+Inf`, `-Inf`, `NaN`."""
    text = repr(float(value))
    if -math.inf < value < 1e6:
        return text
    if value == math.inf:
        return "+Inf"
    if value == -math.inf:
        return "-Inf"
    if value != value:
        return "NaN"
    whole, point, fraction = text.partition(".")
    if not point or len(whole) == 1:
        return text
    digits = f"{whole[0]}.{whole[1:]}{fraction}".rstrip("0").rstrip(".")
    return f"{digits}e+{len(whole) - 1:02d}"


def escape(value: str) -> str:
    """A label value as it stands between quotes.

    A lone surrogate, which UTF-8 cannot say and for which Prometheus refuses the page, is
    spelt out (`\\ud800`), so that two values never become one.
    """
    return escape_help(value).replace('"', r"\"")


def escape_help(text: str) -> str:
    """A HELP text of the text format 0.0.4, where quotes stand for themselves."""
    legible = str(text).encode("utf-8", "backslashreplace").decode("utf-8")
    return legible.replace("\\", r"\\").replace("\n", r"\n")
