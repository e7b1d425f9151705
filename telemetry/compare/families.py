"""Two pages side by side, family by family: what readers of OLD would miss on NEW."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from telemetry.compare.page import Page, Shown

_OF_THE_PROCESS = ("process_", "python_")
_SHOWN_VALUES = 8


class Aspect(StrEnum):
    """What differs. Those of `BREAKS` break readers; the rest is said for information."""

    MISSING = "family missing"
    TYPE = "type differs"
    LABELS = "label names differ"
    EDGES = "bucket edges differ"
    UNUSED = "empty family missing"
    PROCESS = "process metric differs"
    CREATED = "_created series missing"
    PID = "label pid gone"
    HELP = "HELP differs"
    VALUES = "label values not seen"
    UNTRIED = "no sample to compare"
    ADDED = "family added"


BREAKS = frozenset({Aspect.MISSING, Aspect.TYPE, Aspect.LABELS, Aspect.EDGES})


@dataclass(frozen=True, slots=True)
class Difference:
    """One aspect in which a family, or a group of families, differs."""

    aspect: Aspect
    family: str
    detail: str = ""

    @property
    def breaks(self) -> bool:
        """Whether somebody who reads this family of OLD gets something else, or nothing, from NEW."""
        return self.aspect in BREAKS


def compare(old: Page, new: Page) -> list[Difference]:
    """Every difference, in the order of `Aspect`, then by name."""
    found = [difference for name in old.families for difference in _one(old.families[name], old, new)]
    lost = sorted(name for name in old.families if _is_created(name, old) and name not in new.samples)
    if lost:
        found.append(Difference(Aspect.CREATED, f"{len(lost)} families", _listed(lost)))
    added = (name for name in new.families.keys() - old.families.keys() if not _is_created(name, new))
    found += [Difference(Aspect.ADDED, name, new.families[name].type) for name in added]
    order = list(Aspect)
    return sorted(found, key=lambda difference: (order.index(difference.aspect), difference.family))


def _is_created(name: str, page: Page) -> bool:
    """Whether this is the `_created` family that prometheus_client writes beside another in the text format."""
    base = name.removesuffix("_created")
    return base != name and (base in page.families or f"{base}_total" in page.families)


def _one(was: Shown, old: Page, new: Page) -> Iterator[Difference]:
    name = was.name
    if _is_created(name, old):
        return
    now = new.families.get(name)
    process = name.startswith(_OF_THE_PROCESS)
    if now is None:
        near = difflib.get_close_matches(name, new.families, n=1, cutoff=0.75)
        detail = f"{was.type} with {len(was.series)} series on OLD" + (
            f"; the nearest on NEW: {near[0]}" if near else ""
        )
        if process:
            yield Difference(Aspect.PROCESS, name, "not on NEW")
        else:
            yield Difference(Aspect.MISSING if was.series else Aspect.UNUSED, name, detail)
        return
    if was.type != now.type:
        yield Difference(Aspect.PROCESS if process else Aspect.TYPE, name, f"{was.type} on OLD, {now.type} on NEW")
    if was.help != now.help and was.help:
        yield Difference(Aspect.HELP, name, f"{was.help!r} on OLD, {now.help!r} on NEW")
    if was.series and not now.series:
        yield Difference(Aspect.UNTRIED, name, f"{len(was.series)} series on OLD, none on NEW yet")
    if was.series and now.series:
        yield from _labels(was, now, process=process)
    if was.edges and now.edges and was.edges != now.edges:
        yield Difference(Aspect.EDGES, name, _edges(was.edges, now.edges))


def _labels(was: Shown, now: Shown, *, process: bool) -> Iterator[Difference]:
    if was.labels != now.labels:
        aspect = Aspect.PROCESS if process else Aspect.LABELS
        if was.labels - now.labels == {"pid"} and was.labels > now.labels and "django_migrations_" in was.name:
            aspect = Aspect.PID
        yield Difference(aspect, was.name, f"{_names(was.labels)} on OLD, {_names(now.labels)} on NEW")
    if not process:
        for label in sorted(was.labels & now.labels):
            gone = was.values(label) - now.values(label)
            if gone:
                yield Difference(Aspect.VALUES, was.name, f"{label}: {_listed(sorted(gone), quote=True)}")


def _edges(was: set[str], now: set[str]) -> str:
    lost, more = was - now, now - was
    if {_number(edge) for edge in was} == {_number(edge) for edge in now}:
        return f"printed otherwise: {_ordered(lost)} on OLD, {_ordered(more)} on NEW"
    parts = [f"only on OLD: {_ordered(lost)}"] if lost else []
    return "; ".join([*parts, f"only on NEW: {_ordered(more)}"] if more else parts)


def _number(edge: str) -> float:
    try:
        return float(edge)
    except ValueError:
        return float("inf")


def _ordered(edges: Iterable[str]) -> str:
    return " ".join(sorted(edges, key=_number))


def _names(labels: Iterable[str]) -> str:
    return "{" + ", ".join(sorted(labels)) + "}"


def _listed(values: list[str], *, quote: bool = False) -> str:
    shown = [repr(value) if quote else value for value in values[:_SHOWN_VALUES]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
