"""What becomes of each expression; apart from `expressions`, so that a report needs no PromQL parser."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from telemetry.compare.asked import Asked


class Outcome(StrEnum):
    """What becomes of an expression; only `BREAKS` breaks."""

    BREAKS = "breaks"
    """It, or a part of it, found series on OLD and finds none on NEW."""
    PARTLY = "one side of an `or` breaks"
    """The other side finds series on NEW, as where a dashboard asks for an old and a new name."""
    DEAD = "dead on OLD already"
    """It names a metric or a label that is on neither page: mistyped, outdated, or of another exporter."""
    QUIET = "nothing to find on either page"
    """The names are right; no series has the value it asks for, or there is no series at all yet."""
    UNCLEAR = "cannot be judged"
    ANSWERS = "answers"


@dataclass(frozen=True, slots=True)
class Judged:
    """One expression and what becomes of it; `reasons` name what is missing, and where."""

    asked: Asked
    outcome: Outcome
    reasons: tuple[str, ...] = ()

    @property
    def breaks(self) -> bool:
        """Whether NEW must not take the place of OLD as long as somebody relies on this expression."""
        return self.outcome is Outcome.BREAKS


@dataclass(frozen=True, slots=True)
class Judgement:
    """All expressions, and the labels that were taken for Prometheus's own because neither page has them."""

    judged: list[Judged]
    assumed: tuple[str, ...]
