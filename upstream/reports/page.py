"""A report as one HTML file that needs nothing else: no script, no style sheet, no picture from elsewhere."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from upstream.reports import words
from upstream.reports.content import Column, Content, Table


def page(content: Content, customer: str) -> str:
    """The page for the customer with this name; the same content gives the same text."""
    # Slow to import, and only a worker comes here.
    from upstream.reports.drawing import draw

    context = {
        "content": content,
        "customer": customer,
        "period": words.period(content.start, content.end),
        # The texts in a drawing are escaped by what writes it.
        "charts": [(chart, mark_safe(draw(chart))) for chart in content.charts],  # noqa: S308
        "tables": [_shown(table) for table in content.tables if table.shown and table.rows],
    }
    return render_to_string("upstream/reports/report.html", context)


def _shown(table: Table) -> dict[str, Any]:
    shown = [(place, column) for place, column in enumerate(table.columns) if column.title]
    return {
        "title": table.title,
        "head": [(column.title, _style(column)) for _, column in shown],
        "rows": [
            [(words.show(row[place], column.kind), _style(column)) for place, column in shown]
            for row in table.rows[: table.shown]
        ],
        "left_out": max(0, len(table.rows) - table.shown),
    }


def _style(column: Column) -> str:
    if column.kind.is_number:
        return "number"
    return "text" if column.kind is words.Kind.TEXT else "brief"
