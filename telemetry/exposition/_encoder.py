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


class Lines(NamedTuple):
    """The lines of one series, but for their values."""

    template: str
    """`%s` stands for each value: the only one, or each bucket's, the count and the sum."""
    buckets: bool = False
    totals: bool = False
    """Whether there are lines for the count and the sum of a histogram's or summary's."""
    created: str = ""
    """What stands before the creation time; empty where there is no such line."""


class Encoder(ABC):
    """Writes families in one format; safe under threads.

    From scrape to scrape a line changes in its value only: what stands before the value is
    rendered once and kept while the series is seen, for at most `limit` series.
    """

    end: ClassVar[bytes] = b""
    """What closes the page."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: dict[tuple[Family, str], dict[Labels, Lines]] = {}
        self._reported: set[str] = set()

    def render(self, families: Iterable[FamilySamples], foreign: Iterable[Metric] = ()) -> bytes:
        """The page: `families`, then the metrics of other collectors (`foreign`) as prometheus_client writes them.

        What clashes with the name of something before it, and what cannot be written, is left out
        and logged once; the rest of the page stands.
        """
        unique = self._unique(families)
        others, taken = self._beside(unique, foreign)
        declared = self._declare(unique, taken)
        kept: dict[tuple[Family, str], dict[Labels, Lines]] = {}
        room = self._limit
        lines: list[str] = []
        for name, samples in unique.items():
            templates: dict[Labels, Lines] = {}
            try:
                lines += self._family(samples, *declared[name], templates)
            except Exception as error:  # noqa: BLE001 - one family must not cost the page
                self._leave_out(name, repr(error))
            room -= len(templates)
            if room >= 0:
                kept[samples.family, declared[name][1]] = templates
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

    def _family(self, samples: FamilySamples, name: str, type_: str, templates: dict[Labels, Lines]) -> list[str]:
        """The lines of a family; `templates` receives those of its series."""
        family = samples.family
        known = self._kept.get((family, type_), {})
        lines = [self._head(family, name, type_)]
        exemplars = samples.exemplars if type_ == "counter" else {}
        for labels, value in samples.series:
            template = templates[labels] = known.get(labels) or self._lines(family, labels, name, type_)
            if isinstance(value, HistogramValue):
                lines.append(self._histogram(template, value))
            else:
                text = number(value)
                if labels in exemplars:
                    text += self._after(exemplars[labels])
                lines.append(template.template % text)
            if template.created and samples.created is not None:
                lines.append(f"{template.created}{number(samples.created)}\n")
        return lines

    def _histogram(self, template: Lines, value: HistogramValue) -> str:
        counts = list(map(_counts.__getitem__, accumulate(value.counts)))
        totals = (counts[-1], number(value.sum)) if template.totals else ()
        if not template.buckets:
            return template.template % totals
        for bucket, exemplar in value.exemplars.items():
            if bucket < len(counts):
                counts[bucket] += self._after(exemplar)
        return template.template % (*counts, *totals)

    def _after(self, exemplar: Exemplar) -> str:
        """What stands after a value that has an exemplar."""
        return ""

    def _lines(self, family: Family, labels: Labels, name: str, type_: str) -> Lines:
        pairs = sorted((label, f'{label}="{escape(value)}"') for label, value in labels)
        inner = ",".join(text for _, text in pairs)
        end = f"{{{inner}}} " if inner else " "
        prefixes = [f"{family.name}{end}"]
        buckets = family.type is FamilyType.HISTOGRAM
        totals = buckets or family.type is FamilyType.SUMMARY
        if totals:
            prefixes = []
        if buckets:
            if any(label == "le" for label, _ in labels):
                raise ValueError("a histogram cannot have a label 'le' of its own")
            before = "".join(f"{text}," for label, text in pairs if label < "le")
            after = "".join(f",{text}" for label, text in pairs if label > "le")
            prefixes = [
                f'{family.name}_bucket{{{before}le="{number(edge)}"{after}}} ' for edge in (*family.buckets, math.inf)
            ]
            totals = self._shows_totals(family)
        if totals:
            prefixes += [f"{family.name}_count{end}", f"{family.name}_sum{end}"]
        text = "".join(f"{prefix.replace('%', '%%')}%s\n" for prefix in prefixes)
        return Lines(text, buckets, totals, self._created(name, type_, end))

    def _shows_totals(self, family: Family) -> bool:
        """Whether a histogram's count and sum are shown."""
        return True

    def _created(self, name: str, type_: str, end: str) -> str:
        """What stands before the creation time of a series whose labels are `end`; empty where none is shown."""
        return ""

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


class _Counts(dict[float, str]):
    """Counts as they are written; the small whole ones, which are most, are remembered."""

    def __missing__(self, value: float) -> str:
        text = number(value)
        if 0 < value < 10_000 and value == int(value):
            self[value] = text
        return text


_counts = _Counts({0.0: "0.0"})


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
