"""Bars that lie and columns that stand."""

from __future__ import annotations

import math

from upstream.reports.charts import Bars, Columns
from upstream.reports.drawing.canvas import COOL, FAINT, INK, MUTED, SHADES, SMALL, WARM, Canvas, room, width_of
from upstream.reports.drawing.scales import Scale, ticks

_ROW, _DETAILED_ROW, _THICK = 27.0, 36.0, 16.0
_LEGEND = 24.0
_HEIGHT = 240.0
_MARK = 16.0
_THOUSANDS = 10_000


def bars(chart: Bars, width: float) -> Canvas:
    """Each bar with its name before it and its figure behind it; no axis is needed."""
    top = _LEGEND if chart.parts else 2.0
    row = _DETAILED_ROW if any(bar.detail for bar in chart.bars) else _ROW
    canvas = Canvas(width, top + row * len(chart.bars) + 2)
    left = room(((bar.label, bar.detail, bar.strong) for bar in chart.bars), width * 0.45) + 10
    right = max(width_of(bar.text, bold=bar.strong) for bar in chart.bars) + 8
    scale = Scale(0, max(sum(bar.parts) for bar in chart.bars), left, width - right)
    if chart.parts:
        _legend(canvas, left, chart.parts)
    for number, bar in enumerate(chart.bars):
        y = top + row * (number + 0.5)
        canvas.label(left - 10, y, bar.label, bar.detail, strong=bar.strong)
        x = left
        for part, shade in zip(bar.parts, _shades(len(bar.parts), bar.strong), strict=True):
            end = scale(part) - scale(0)
            if end:
                canvas.box(x, y - _THICK / 2, end, _THICK, shade)
            x += end
        canvas.line((left, left), (y - row / 2, y + row / 2), FAINT)
        canvas.text(x + 6, y, bar.text, color=WARM if bar.strong else INK, bold=bar.strong)
    return canvas


def columns(chart: Columns, width: float) -> Canvas:
    """Columns on a few faint lines; with marks, the text below a column stands at its left edge, as on a ruler."""
    top, bottom, left, right = (_LEGEND if chart.parts else 6) + _MARK * len(chart.marks), 24.0, 44.0, 8.0
    canvas = Canvas(width, _HEIGHT + (16.0 if chart.foot else 0.0))
    levels = ticks(0, max(sum(column.parts) for column in chart.columns))
    up = Scale(0, levels[-1], _HEIGHT - bottom, top)
    across = Scale(0, len(chart.columns), left, width - right)
    for level in levels:
        canvas.line((left, width - right), (up(level), up(level)), FAINT)
        text = f"{level / 1000:,.4g}k" if levels[-1] >= _THOUSANDS and level else f"{level:,.4g}"
        canvas.text(left - 8, up(level), text, align="right", color=MUTED, size=SMALL)
    if chart.parts:
        _legend(canvas, left, chart.parts)
    each = across(1) - left
    every = max(1, math.ceil(max(width_of(column.label, SMALL) + 8 for column in chart.columns) / each))
    for number, column in enumerate(chart.columns):
        middle, base = across(number + 0.5), 0.0
        for part, shade in zip(column.parts, _shades(len(column.parts), column.strong), strict=True):
            if part:
                canvas.box(middle - each * 0.4, up(base + part), each * 0.8, up(base) - up(base + part), shade)
            base += part
        if (len(chart.columns) - 1 - number) % every == 0:
            place = across(number) if chart.marks else middle
            canvas.text(place, _HEIGHT - 11, column.label, align="center", color=MUTED, size=SMALL)
    for number, (place, text) in enumerate(chart.marks):
        x, y = across(place), 8 + _MARK * number
        canvas.line((x, x), (y - 6, up(0)), INK)
        before = x + width_of(text, bold=True) + 4 > width
        canvas.text(x + (-5 if before else 5), y, text, align="right" if before else "left", bold=True)
    if chart.foot:
        canvas.text((left + width - right) / 2, _HEIGHT + 6, chart.foot, align="center", color=MUTED, size=SMALL)
    return canvas


def _shades(count: int, strong: bool) -> tuple[str, ...]:
    if count == 1:
        return (WARM if strong else COOL,)
    return {2: (SHADES[1], WARM), 5: (WARM, *reversed(SHADES[1:]), FAINT)}.get(count, SHADES)


def _legend(canvas: Canvas, x: float, parts: tuple[str, ...]) -> None:
    # From the bars on, unless that leaves too little room.
    x = max(0.0, min(x, canvas.width - sum(width_of(part, SMALL) + 26 for part in parts)))
    for part, shade in zip(parts, _shades(len(parts), False), strict=True):
        canvas.box(x, 5, 10, 10, shade)
        canvas.text(x + 15, 10, part, color=MUTED, size=SMALL)
        x += width_of(part, SMALL) + 26
