"""Figures as a reader wants to see them, on the page; nothing here is for a machine to read."""

from __future__ import annotations

import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from django.utils.dateformat import format as format_date

from upstream.models import CRITICAL

Cell = str | int | float | Decimal | datetime.date | None
"""What a table may hold; None for what cannot be told, such as the median of nothing."""

NOTHING = "—"
"""Stands where there is no figure."""

SEVERITIES = (("low", 0.0), ("medium", 0.4), ("high", 0.7), ("critical", CRITICAL))
"""The words for a severity score, each with the score from which it holds; those of the alerts and the metrics."""


class Kind(StrEnum):
    """What a figure is, which decides how it is written: a share or a score is from 0 to 1, a name the program's."""

    TEXT = "text"
    COUNT = "count"
    DAYS = "days"
    MONEY = "money"
    SHARE = "share"
    SCORE = "score"
    DATE = "date"
    NAME = "name"

    @property
    def is_number(self) -> bool:
        """Whether such figures stand below each other digit by digit."""
        return self not in (Kind.TEXT, Kind.DATE, Kind.NAME)


class Who(NamedTuple):
    """A payer as reports name it."""

    code: str
    name: str


def show(value: Cell, kind: Kind) -> str:
    """One figure in words, such as 1,204, $3,115, 8.1% or 5 Jun 2025."""
    match value:
        case None:
            return NOTHING
        case str():
            return name(value) if kind is Kind.NAME else value
        case datetime.date():
            return format_date(value, "j M Y")
    match kind:
        case Kind.MONEY:
            return f"${value:,.0f}"
        case Kind.SHARE:
            return f"{value:.1%}"
        case Kind.SCORE:
            return f"{value:.3f}"
        case Kind.DAYS:
            return f"{value:,.4g}"
    return f"{value:,}"


def name(value: str) -> str:
    """One of the program's own names, such as `denial_rate`, as people write it."""
    return "A/R aging" if value == "ar_aging" else value.replace("_", " ")


def money(amount: Decimal) -> str:
    """An amount as one would say it: $950, $31,400, $1.24 M."""
    if amount >= 1_000_000:
        return f"${amount / 1_000_000:,.2f} M"
    return f"${amount:,.0f}"


def days(count: float) -> str:
    """So many days, such as `1 day`."""
    return f"{count:,.4g} {'day' if count == 1 else 'days'}"


def counted(count: int, one: str, many: str = "") -> str:
    """So many of something, such as `1 claim`, `2 claims`, `no claims`."""
    number = f"{count:,}" if count else "no"
    return f"{number} {one if count == 1 else many or one + 's'}"


def day(date: datetime.date) -> str:
    """A date, such as 5 May 2025."""
    return format_date(date, "j F Y")


def period(start: datetime.date, end: datetime.date) -> str:
    """The days from start to end, such as 1 to 30 June 2025."""
    if start == end:
        return day(end)
    if (start.year, start.month) == (end.year, end.month):
        return f"{start.day} to {day(end)}"
    if start.year == end.year:
        return f"{format_date(start, 'j F')} to {day(end)}"
    return f"{day(start)} to {day(end)}"


def shorten(text: str, longest: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def opening(sentence: str) -> str:
    """A sentence that begins with a capital."""
    return sentence[:1].upper() + sentence[1:]


def severity(score: float) -> str:
    """The word for a severity score from 0 to 1."""
    return next(name for name, floor in reversed(SEVERITIES) if score >= floor)


def short(date: datetime.date) -> str:
    """A date for where there is little room, such as 5 May."""
    return format_date(date, "j M")
