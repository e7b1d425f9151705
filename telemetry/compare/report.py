"""The whole comparison, its verdict, and how it is told: as text or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from telemetry.compare.families import Difference
from telemetry.compare.outcome import Judged, Judgement
from telemetry.compare.page import Page


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `judgement` is None where no dashboard and no rule was given."""

    old: Page
    new: Page
    differences: Sequence[Difference]
    judgement: Judgement | None = None

    @property
    def breaking(self) -> list[Difference]:
        return [difference for difference in self.differences if difference.breaks]

    @property
    def judged(self) -> list[Judged]:
        return self.judgement.judged if self.judgement else []

    @property
    def broken(self) -> list[Judged]:
        return [each for each in self.judged if each.breaks]

    @property
    def safe(self) -> bool:
        """Whether nothing that reads OLD would miss anything on NEW."""
        return not self.breaking and not self.broken

    @property
    def conclusion(self) -> str:
        """One line."""
        asked = "" if self.judgement is None else f" {len(self.judged)} expressions"
        if self.safe:
            return f"SAFE: {len(self.old.families)} families" + (f" and{asked}" if asked else "") + " compared"
        families = len({difference.family for difference in self.breaking})
        parts = [f"{families} of {len(self.old.families)} families"] if families else []
        parts += [f"{len(self.broken)} of{asked}"] if self.broken else []
        return f"NOT SAFE: {' and '.join(parts)} would break"


def as_json(report: Report) -> str:
    """For machines: `safe`, `conclusion`, `old` and `new`, `differences`, `expressions` (null where none was asked)."""
    return json.dumps(
        {
            "safe": report.safe,
            "conclusion": report.conclusion,
            "old": _page(report.old),
            "new": _page(report.new),
            "differences": [
                {"aspect": each.aspect.value, "breaks": each.breaks, "family": each.family, "detail": each.detail}
                for each in report.differences
            ],
            "expressions": None
            if report.judgement is None
            else [
                {
                    "file": each.asked.file,
                    "place": each.asked.place,
                    "expression": each.asked.written,
                    "outcome": each.outcome.value,
                    "breaks": each.breaks,
                    "reasons": list(each.reasons),
                }
                for each in report.judged
            ],
            "assumed_target_labels": list(report.judgement.assumed if report.judgement else ()),
        },
        indent=2,
    )


def as_text(report: Report) -> str:
    """For people: what breaks, then what to know, then the verdict."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    for name, page in (("OLD", report.old), ("NEW", report.new)):
        told = _page(page)
        yield f"{name}  {told['source']}: {told['families']} families, {told['series']} series"
    yield from _differences("What breaks", report.breaking)
    yield from _judged("Expressions that break", report.broken)
    yield from _differences("Good to know", [each for each in report.differences if not each.breaks])
    if report.judgement and report.judgement.assumed:
        yield f"  labels on neither page, taken as added by Prometheus: {', '.join(report.judgement.assumed)}"
    rest = sorted((each for each in report.judged if not each.breaks), key=lambda each: each.outcome)
    for outcome, group in groupby(rest, key=lambda each: each.outcome):
        listed = list(group)
        if any(each.reasons for each in listed):
            yield from _judged(f"Expressions: {outcome}", listed)
    yield ""
    yield report.conclusion


def _differences(title: str, differences: Sequence[Difference]) -> Iterator[str]:
    if differences:
        yield ""
        yield f"{title} ({len(differences)})"
    for aspect, group in groupby(differences, key=lambda each: each.aspect):
        yield f"  {aspect.value}"
        for each in group:
            yield f"    {each.family}" + (f": {each.detail}" if each.detail else "")


def _judged(title: str, judged: Sequence[Judged]) -> Iterator[str]:
    if judged:
        yield ""
        yield f"{title} ({len(judged)})"
    for each in judged:
        yield f"  {each.asked.file}, {each.asked.place}"
        yield f"    {' '.join(each.asked.written.split())}"
        yield from (f"    -> {reason}" for reason in each.reasons)


def _page(page: Page) -> dict[str, object]:
    series = sum(len(family.series) for family in page.families.values())
    return {"source": page.source, "families": len(page.families), "series": series}
