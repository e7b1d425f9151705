"""One exposition as data: its families, and the series that Prometheus would store of it.

Read by prometheus_client's parsers; the names are those of the text format 0.0.4, whichever format
the page is in, because these are what Prometheus stores.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_fd_to_metric_families

from telemetry.compare.errors import InputError
from telemetry.compare.fetch import Fetched

# They are typed for files, and only iterate over them.
_OPEN: Callable[[Iterable[str]], Iterable[Metric]] = cast(Any, openmetrics.text_fd_to_metric_families)
_TEXT: Callable[[Iterable[str]], Iterable[Metric]] = cast(Any, text_fd_to_metric_families)

Series = frozenset[tuple[str, str]]
"""The labels of one series, without its name."""

_EOF = "# EOF"
_COUNTER = re.compile(r"^# TYPE (\S+) counter[ \t]*$", re.MULTILINE)
_OTHER_TYPES = {"unknown": "untyped", "info": "gauge", "stateset": "gauge"}


@dataclass(slots=True)
class Shown:
    """A family as a page shows it. `edges` are a histogram's `le` as they are printed."""

    name: str
    type: str
    help: str
    series: set[Series] = field(default_factory=set)
    edges: set[str] = field(default_factory=set)

    @property
    def labels(self) -> frozenset[str]:
        """The names of the labels that any series has, but for a histogram's `le` and a summary's `quantile`."""
        return frozenset(name for series in self.series for name, _ in series)

    def values(self, label: str) -> set[str]:
        """What the label is on this page."""
        return {value for series in self.series for name, value in series if name == label}


@dataclass(slots=True)
class Page:
    """A parsed exposition: families by the name on the TYPE line, stored series by sample name."""

    source: str
    families: dict[str, Shown] = field(default_factory=dict)
    samples: dict[str, set[Series]] = field(default_factory=dict)

    def labels(self) -> frozenset[str]:
        """The names of all labels that any sample has."""
        return frozenset(name for group in self.samples.values() for series in group for name, _ in series)


def parse(source: str, fetched: Fetched) -> Page:
    """The page in `fetched`; `source` is its name in messages.

    Raises:
        InputError: it is not an exposition, is cut off, or shows nothing.
    """
    text = fetched.text
    ends = text.rstrip("\n").endswith(_EOF)
    counters = set(_COUNTER.findall(text))
    if not ends and ("openmetrics" in fetched.content_type or _looks_open(text, counters)):
        raise InputError(f"{source}, line {text.count(chr(10)) + 1}: cut off: OpenMetrics ends with {_EOF!r}")
    if text and not text.endswith("\n"):
        raise InputError(f"{source}, line {text.count(chr(10)) + 1}: cut off in the middle of a line")
    lines = _Lines(text)
    page = Page(source)
    try:
        for metric in _OPEN(lines) if ends else _TEXT(lines):
            # The parser of 0.0.4 gives a counter a `_total` that the page, and so Prometheus, has not.
            _add(page, metric, bare=not ends and metric.type == "counter" and metric.name in counters)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        shown, why = (f"{text[:100]}…" if len(text) > 100 else text for text in (lines.last, str(error)))
        raise InputError(f"{source}, line {lines.number}: not an exposition: {shown!r} ({why})") from error
    if not page.families:
        raise InputError(f"{source}: shows no metric")
    for family in page.families.values():
        _check_whole(page, family)
    return page


class _Lines:
    """The lines of a text, counted as a parser asks for them."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.number = 0
        self.last = ""

    def __iter__(self) -> Iterator[str]:
        # Not `splitlines`: a label's value may hold other characters that it takes for a line's end.
        for line in self._text.split("\n")[:-1]:
            self.number += 1
            self.last = line
            yield f"{line}\n"


def _looks_open(text: str, counters: Iterable[str]) -> bool:
    """Whether counters are declared as OpenMetrics does it: without the `_total` of their samples."""
    return any(
        f"\n{name}_total{after}" in text and f"# TYPE {name}_total " not in text for name in counters for after in "{ "
    )


def _add(page: Page, metric: Metric, *, bare: bool) -> None:
    name = metric.name
    if metric.type == "counter" and not bare:
        name += "_total"
    elif metric.type == "info":
        name += "_info"
    kind = _OTHER_TYPES.get(metric.type, metric.type)
    family = page.families.setdefault(name, Shown(name, kind, metric.documentation))
    for sample in metric.samples:
        stored = sample.name.removesuffix("_total") if bare else sample.name
        page.samples.setdefault(stored, set()).add(frozenset(sample.labels.items()))
        labels: Mapping[str, str] = sample.labels
        if stored == f"{name}_bucket":
            family.edges.add(labels.get("le", ""))
        apart = {"histogram": "le", "summary": "quantile"}.get(kind)
        family.series.add(frozenset(pair for pair in labels.items() if pair[0] != apart))


def _check_whole(page: Page, family: Shown) -> None:
    """A text page that ends early ends, as a rule, within a family: a histogram is then short of samples."""
    if family.type != "histogram":
        return
    buckets = page.samples.get(f"{family.name}_bucket", set())
    for series in family.series:
        labels = dict(sorted(series))
        if series | {("le", "+Inf")} not in buckets:
            raise InputError(f'{page.source}: cut off: the histogram {family.name}{labels} has no bucket le="+Inf"')
        for suffix in ("_count", "_sum"):
            if series not in page.samples.get(family.name + suffix, ()):
                raise InputError(f"{page.source}: cut off: the histogram {family.name}{labels} has no {suffix}")
