"""Pages of metrics, read by prometheus_client's own parser, and what one says otherwise than another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

TIMED = re.compile(r"_seconds(_by_view_method)?_(bucket|sum)$")
"""Samples whose value is a matter of the clock."""

Samples = dict[str, float]
"""By `name{label=value,...}`, the labels in alphabetical order."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A family on a page."""

    type: str
    help: str
    samples: Samples


Page = dict[str, Shown]
"""By the name on the TYPE line."""


def line(name: str, labels: Mapping[str, str]) -> str:
    return f"{name}{{{','.join(f'{label}={value}' for label, value in sorted(labels.items()))}}}"


def read(text: str, namespace: str = "") -> Page:
    """The families of `django_*` and what stands before them, without it; times of creation are left out.

    A family or a sample that stands twice is an error, and one without the namespace where there is one.
    """
    page: Page = {}
    prefix = f"{namespace}_" if namespace else ""
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert not (prefix and name.startswith("django_")), f"{name} is in no namespace"
        if not name.startswith(f"{prefix}django_") or name.endswith("_created"):
            continue
        name = name.removeprefix(prefix)
        assert name not in page, f"{name} stands twice"
        samples: Samples = {}
        for sample in family.samples:
            key = line(sample.name.removeprefix(prefix), sample.labels)
            assert key not in samples, f"{key} stands twice"
            samples[key] = sample.value
        page[name] = Shown(family.type, family.documentation, samples)
    return page


def changes(theirs: Page, ours: Page) -> Samples:
    """By how much ours is more or less, in families that both have, by sample; times do not count.

    0 where one page shows a 0 and the other nothing.
    """
    changed: Samples = {}
    for name in theirs.keys() & ours.keys():
        left, right = theirs[name].samples, ours[name].samples
        for key in left.keys() | right.keys():
            if left.get(key) != right.get(key) and not TIMED.search(key.partition("{")[0]):
                changed[key] = right.get(key, 0.0) - left.get(key, 0.0)
    return changed


def with_bodies(samples: Samples, sizes: Iterable[int]) -> Samples:
    """A label-less histogram's samples after these observations too."""
    more = dict(samples)
    for size in sizes:
        for key in more:
            name, _, labels = key.partition("{")
            if name.endswith("_bucket"):
                more[key] += size <= float(labels.removeprefix("le=").removesuffix("}"))
            else:
                more[key] += size if name.endswith("_sum") else 1
    return more


@dataclass(slots=True)
class Series:
    """One series of a histogram: each bound as it is spelled, with the count up to it."""

    buckets: dict[str, float] = field(default_factory=dict)
    sum: float = 0.0
    count: float = 0.0


def series(name: str, shown: Shown) -> list[Series]:
    """The series of a histogram."""
    found: dict[str, Series] = {}
    for key, value in shown.samples.items():
        bound = re.search(r"\ble=([^,}]+),?", key)
        kind, _, rest = key.removeprefix(name).partition("{")
        one = found.setdefault(rest.replace(bound[0], "").replace(",}", "}") if bound else rest, Series())
        if bound:
            one.buckets[bound[1]] = value
        else:
            setattr(one, kind.removeprefix("_"), value)
    return list(found.values())


def labels(shown: Shown) -> set[tuple[str, ...]]:
    """The names of labels that a family's samples have."""
    return {tuple(re.findall(r"[{,](\w+)=", key)) for key in shown.samples}
