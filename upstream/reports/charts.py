"""Charts as plain data; `upstream.reports.drawing` makes pictures of them.

Each has a title that says what is to be seen, and a note that says what is shown. `strong` marks what the
title speaks of: it alone has the warm colour.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from upstream.reports.words import Kind

MOST = 10
"""Rows of a chart at most; the tables have the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What every chart has; a wide one takes the width of the page, others half of it."""

    title: str
    note: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of one or several parts from left to right, the text at its end, and one below its label."""

    label: str
    parts: tuple[float, ...]
    text: str
    strong: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars(Chart):
    """Horizontal bars; `parts` names the parts of each where there are several."""

    bars: tuple[Bar, ...]
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """One line: a value for every step, None where there is none."""

    label: str
    values: tuple[float | None, ...]
    strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines(Chart):
    """Lines over time, from 0 on; `days` are the last days of the steps."""

    days: tuple[datetime.date, ...]
    series: tuple[Series, ...]
    kind: Kind


@dataclass(frozen=True, slots=True)
class Panel:
    """One of several small charts side by side: points of the steps, and a line behind them at days of its own."""

    label: str
    values: tuple[float | None, ...]
    behind: tuple[tuple[datetime.date, float], ...]
    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panels(Chart):
    """Small charts of scores with a scale in common, which ends at 1."""

    start: datetime.date
    days: tuple[datetime.date, ...]
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """How one payer's values spread: five quantiles, from the tenth to the ninetieth percentile."""

    label: str
    quantiles: tuple[int, int, int, int, int]
    strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges(Chart):
    """Spreads below each other, in days."""

    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One value before and after, and a text below its label."""

    label: str
    before: float
    after: float
    strong: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes(Chart):
    """Changes below each other, on one scale from 0."""

    changes: tuple[Change, ...]
    kind: Kind


@dataclass(frozen=True, slots=True)
class Column:
    """One upright column of parts from the foot up, and the text below it."""

    label: str
    parts: tuple[float, ...]
    strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns(Chart):
    """Upright columns side by side; `parts` names the parts of each where there are several.

    `marks` are texts at a place counted in columns: 2.5 is the middle of the third.
    """

    columns: tuple[Column, ...]
    parts: tuple[str, ...] = ()
    marks: tuple[tuple[float, str], ...] = ()
    foot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dots(Chart):
    """Rows of dots over the days from start to end; a dot is a day and a severity from 0 to 1."""

    start: datetime.date
    end: datetime.date
    rows: tuple[tuple[str, tuple[tuple[datetime.date, float], ...]], ...]
