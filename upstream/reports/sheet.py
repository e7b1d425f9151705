"""A report as CSV (RFC 4180): all its tables below one header, for programs and for spreadsheets."""

from __future__ import annotations

import csv
import datetime
import io
from decimal import Decimal

from upstream.reports.content import Content
from upstream.reports.words import Cell

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001 - the wide forms count as well
_CONTROL = ("\t", "\r", "\n")


def sheet(content: Content) -> str:
    """The tables as records of the same fields: `table` tells which one, what a table has no column for is empty.

    Dates are as in 2025-01-31, numbers plain, shares and scores from 0 to 1.
    """
    names = list(dict.fromkeys(column.name for table in content.tables for column in table.columns))
    out = io.StringIO()
    writer = csv.DictWriter(out, ["table", *names], restval="", lineterminator="\r\n")
    writer.writeheader()
    for table in content.tables:
        for row in table.rows:
            cells = {column.name: plain(cell) for column, cell in zip(table.columns, row, strict=True)}
            writer.writerow({"table": table.name, **cells})
    return out.getvalue()


def plain(cell: Cell) -> str:
    """A cell as a program reads it; a text that a spreadsheet would compute has an apostrophe before it."""
    match cell:
        case None:
            return ""
        case str():
            return f"'{cell}" if cell.startswith(_CONTROL) or cell.lstrip().startswith(_FORMULA) else cell
        case datetime.date():
            return cell.isoformat()
        case Decimal():
            return f"{cell:f}"
        case float():
            return f"{cell:.6f}".rstrip("0").rstrip(".")
    return str(cell)
