"""What a report says, before it is a page or a sheet: sentences, figures, charts as plain data, tables."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from upstream.errors import Permanent
from upstream.reports.charts import Chart
from upstream.reports.words import Cell, Kind


class NoData(Permanent):
    """A report was asked for over days for which there is nothing that it could tell."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `name` in the sheet, `title` on the page, which has no column without one."""

    name: str
    title: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the sheet has all its rows, the page the first `shown`, and the table not at all where that is 0."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: list[tuple[Cell, ...]]
    shown: int = 25


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A figure to be seen first, what it is, and what it means."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """A whole report: the finding in a sentence, then what it rests on."""

    subject: str
    start: datetime.date
    end: datetime.date
    headline: str
    lead: str
    figures: list[KeyFigure]
    charts: list[Chart]
    tables: list[Table]
    points: list[str] = field(default_factory=list)
    """Further findings, a sentence each."""
    notes: list[str] = field(default_factory=list)
    """How the figures are defined, for those who want to know."""


PAYER = (Column("payer_code", ""), Column("payer", "Payer"))
"""The columns that name a payer."""
STEP = (Column("from", "From", Kind.DATE), Column("to", "To", Kind.DATE))
"""The columns that name the days of a step."""
