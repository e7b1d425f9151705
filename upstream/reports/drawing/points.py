"""Points on lines of their own: spreads, changes, and what happened when."""

from __future__ import annotations

import datetime

from upstream.reports.charts import Changes, Dots, Ranges
from upstream.reports.drawing import canvas as paint
from upstream.reports.drawing.canvas import COOL, FAINT, INK, MUTED, REST, SHADES, SMALL, WARM, Canvas
from upstream.reports.drawing.scales import Scale, some, ticks
from upstream.reports.words import severity, short, show

_ROW = 36.0
_NARROW = 25.0
_LEVELS = {"low": SHADES[1], "medium": SHADES[2], "high": SHADES[3], "critical": WARM}
_SPREAD, _STRONG_SPREAD = (SHADES[0], SHADES[1], SHADES[3]), ("#eab595", "#d98450", WARM)


def ranges(chart: Ranges, width: float) -> Canvas:
    """A bar over the middle eight tenths, a thicker one over the middle half, a dot for the median."""
    foot, top = 24.0, 4.0
    canvas = Canvas(width, top + _ROW * len(chart.ranges) + foot)
    left = paint.room(((row.label, "", row.strong) for row in chart.ranges), width * 0.4) + 12
    levels = ticks(0, max(row.quantiles[-1] for row in chart.ranges), 5)
    across = Scale(0, levels[-1], left, width - 40)
    bottom = canvas.height - foot
    for level in levels:
        canvas.line((across(level), across(level)), (top, bottom), FAINT)
        canvas.text(across(level), bottom + 12, f"{level:.4g}", align="center", color=MUTED, size=SMALL)
    for number, row in enumerate(chart.ranges):
        y = top + _ROW * (number + 0.62)
        p10, p25, p50, p75, p90 = map(across, row.quantiles)
        most, half, median = _STRONG_SPREAD if row.strong else _SPREAD
        canvas.label(left - 12, y, row.label, strong=row.strong)
        canvas.box(p10, y - 2.5, p90 - p10, 5, most)
        canvas.box(p25, y - 5, p75 - p25, 10, half)
        canvas.dot(p50, y, 5.5, median)
        canvas.text(p50, y - 14, str(row.quantiles[2]), align="center", color=WARM if row.strong else INK, bold=True)
        canvas.text(p90 + 7, y, str(row.quantiles[-1]), color=MUTED, size=SMALL)
    return canvas


def changes(chart: Changes, width: float) -> Canvas:
    """From a grey dot to a coloured one, each with its figure."""
    top = 22.0
    canvas = Canvas(width, top + _ROW * len(chart.changes))
    left = paint.room(((row.label, row.detail, row.strong) for row in chart.changes), width * 0.45) + 12
    values = [value for row in chart.changes for value in (row.before, row.after)]
    figure = max(paint.width_of(show(value, chart.kind), bold=True) for value in values) + 12
    across = Scale(0, max(values), left + figure, width - figure)
    for x, word, color in ((left + figure, "before", REST), (left + figure + 70, "now", COOL)):
        canvas.dot(x, 10, 5, color)
        canvas.text(x + 10, 10, word, color=MUTED, size=SMALL)
    for number, row in enumerate(chart.changes):
        y = top + _ROW * (number + 0.5)
        canvas.line((left + figure, width - figure), (y, y), FAINT)
        canvas.label(left - 12, y, row.label, row.detail, strong=row.strong)
        before, after = across(row.before), across(row.after)
        color = WARM if row.strong else COOL
        canvas.line((before, after), (y, y), color, 2.4)
        canvas.dot(before, y, 5, REST)
        canvas.dot(after, y, 6, color)
        side = 1 if after >= before else -1
        ends = ("right", "left") if side > 0 else ("left", "right")
        canvas.text(before - 10 * side, y, show(row.before, chart.kind), align=ends[0], color=MUTED)
        canvas.text(after + 10 * side, y, show(row.after, chart.kind), align=ends[1], color=color, bold=True)
    return canvas


def dots(chart: Dots, width: float) -> Canvas:
    """Larger and darker the graver, the critical ones in the warm colour."""
    top, foot = 26.0, 24.0
    canvas = Canvas(width, top + _NARROW * len(chart.rows) + foot)
    left = paint.room(((label, "", False) for label, _ in chart.rows), width * 0.4) + 22
    across = Scale(chart.start.toordinal(), max(chart.end.toordinal(), chart.start.toordinal() + 1), left, width - 24)
    bottom = canvas.height - foot
    x = left
    for number, (level, color) in enumerate(_LEVELS.items()):
        canvas.dot(x, 10, _radius((number + 0.5) / len(_LEVELS)), color)
        canvas.text(x + 11, 10, level, color=MUTED, size=SMALL)
        x += paint.width_of(level, SMALL) + 32
    days = [chart.start + datetime.timedelta(days=number) for number in range((chart.end - chart.start).days + 1)]
    for day in some(days, 7):
        x = across(day.toordinal())
        canvas.line((x, x), (top, bottom), FAINT)
        canvas.text(x, bottom + 12, short(day), align="center", color=MUTED, size=SMALL)
    for number, (label, found) in enumerate(chart.rows):
        y = top + _NARROW * (number + 0.5)
        canvas.line((left - 10, width - 14), (y, y), FAINT)
        canvas.label(left - 22, y, label)
        for day, score in found:
            canvas.dot(across(day.toordinal()), y, _radius(score), _LEVELS[severity(score)])
    return canvas


def _radius(score: float) -> float:
    return 3.0 + 5.0 * score
