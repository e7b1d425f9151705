"""What a Prometheus knows that scrapes a page: the page's series with the labels of their target, and its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from telemetry.compare.asked import VARIABLE
from telemetry.compare.page import Page, Series

TARGET = frozenset({"job", "instance"})
"""The labels that Prometheus gives to every series of a target."""
_OF_PROMETHEUS = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
    "ALERTS",
    "ALERTS_FOR_STATE",
)
NO_LABELS: Series = frozenset()


@dataclass(slots=True)
class World:
    """What a Prometheus that scrapes the page knows: its series, those of rules, and its own."""

    name: str
    series: dict[str, set[Series]]
    targets: frozenset[str]
    declared: frozenset[str] = frozenset()
    """Names of families that stand on the page without a series."""
    recorded: dict[str, str] = field(default_factory=dict)
    """The place of the rule that records a name."""

    @classmethod
    def of(cls, page: Page, name: str, targets: frozenset[str]) -> World:
        """The world of a page; `name` is what messages call it."""
        world = cls(name, {}, targets)
        for sample, found in page.samples.items():
            world.add(sample, found)
        for sample in _OF_PROMETHEUS:
            world.add(sample, {NO_LABELS})
        empty = [family for family in page.families.values() if not family.series]
        suffixes = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}
        world.declared = frozenset(
            family.name + suffix for family in empty for suffix in suffixes.get(family.type, ("",))
        )
        return world

    def add(self, name: str, series: Iterable[Series]) -> bool:
        """Whether this adds anything to what the name has."""
        known = self.series.setdefault(name, set())
        before = len(known)
        known.update(with_labels(one, dict.fromkeys(self.targets, VARIABLE), overwrite=False) for one in series)
        return len(known) > before


def with_labels(series: Series, labels: Mapping[str, str], *, overwrite: bool = True) -> Series:
    """The series with these labels too; its own win unless `overwrite`."""
    have = dict(series)
    return frozenset(({**have, **labels} if overwrite else {**labels, **have}).items())
