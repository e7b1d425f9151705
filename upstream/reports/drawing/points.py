"""Points on lines of their own: spreads, changes, and what happened when."""

from __future__ import annotations

import datetime

from upstream.reports.charts import Changes, Dots, Ranges
from upstream.reports.drawing.canvas import COOL, FAINT, INK, MUTED, REST, SHADES, WARM, Canvas, fit, width_of
from upstream.reports.drawing.scales import Scale, some, ticks
from upstream.reports.words import severity, short, show

_SMALL = 10.5
_ROW = 34.0
_NARROW = 25.0
_LEVELS = {"low": SHADES[1], "medium": SHADES[2], "high": SHADES[3], "critical": WARM}


def ranges(chart: Ranges, width: float) -> Canvas:
    """A bar over the middle eight tenths, a thicker one over the middle half, a dot for the median."""
    foot, top = 24.0, 4.0
    canvas = Canvas(width, top + _ROW * len(chart.ranges) + foot)
    left = min(width * 0.4, max(width_of(row.label, bold=row.strong) for row in chart.ranges) + 12)
    levels = ticks(0, max(row.quantiles[-1] for row in chart.ranges), 5)
    across = Scale(0, levels[-1], left, width - 40)
    bottom = canvas.height - foot
    for level in levels:
        canvas.line((across(level), across(level)), (top, bottom), FAINT)
        canvas.text(across(level), bottom + 12, f"{level:.4g}", align="center", color=MUTED, size=_SMALL)
    for number, row in enumerate(chart.ranges):
        y = top + _ROW * (number + 0.62)
        p10, p25, p50, p75, p90 = map(across, row.quantiles)
        color = WARM if row.strong else INK
        canvas.text(
            left - 12, y, fit(row.label, left - 12, bold=row.strong), align="right", color=color, bold=row.strong
        )
        canvas.box(p10, y - 2.5, p90 - p10, 5, "#eab595" if row.strong else SHADES[0])
        canvas.box(p25, y - 5, p75 - p25, 10, "#d98450" if row.strong else SHADES[1])
        canvas.dot(p50, y, 5.5, WARM if row.strong else SHADES[3])
        canvas.text(p50, y - 14, str(row.quantiles[2]), align="center", color=color, bold=True)
        canvas.text(p90 + 7, y, str(row.quantiles[-1]), color=MUTED, size=_SMALL)
    return canvas


def changes(chart: Changes, width: float) -> Canvas:
    """From a grey dot to a coloured one, each with its figure."""
    canvas = Canvas(width, _ROW * len(chart.changes) + 4)
    left = min(width * 0.5, max(width_of(row.label, bold=row.strong) for row in chart.changes) + 12)
    figure = (
        max(width_of(show(value, chart.kind), bold=True) for row in chart.changes for value in (row.before, row.after))
        + 12
    )
    highest = max(max(row.before, row.after) for row in chart.changes)
    across = Scale(0, highest, left + figure, width - figure)
    for number, row in enumerate(chart.changes):
        y = _ROW * (number + 0.5) + 2
        canvas.line((left + figure, width - figure), (y, y), FAINT)
        canvas.text(left - 12, y, fit(row.label, left - 12, bold=row.strong), align="right", bold=row.strong,
                    color=WARM if row.strong else INK)  # fmt: skip
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
    left = min(width * 0.4, max(width_of(label) for label, _ in chart.rows) + 22)
    across = Scale(chart.start.toordinal(), max(chart.end.toordinal(), chart.start.toordinal() + 1), left, width - 24)
    bottom = canvas.height - foot
    x = left
    for number, (level, color) in enumerate(_LEVELS.items()):
        canvas.dot(x, 10, _radius((number + 0.5) / len(_LEVELS)), color)
        canvas.text(x + 11, 10, level, color=MUTED, size=_SMALL)
        x += width_of(level, _SMALL) + 32
    days = [chart.start + datetime.timedelta(days=number) for number in range((chart.end - chart.start).days + 1)]
    for day in some(days, 7):
        x = across(day.toordinal())
        canvas.line((x, x), (top, bottom), FAINT)
        canvas.text(x, bottom + 12, short(day), align="center", color=MUTED, size=_SMALL)
    for number, (label, found) in enumerate(chart.rows):
        y = top + _NARROW * (number + 0.5)
        canvas.line((left - 10, width - 14), (y, y), FAINT)
        canvas.text(left - 22, y, fit(label, left - 22), align="right")
        for day, score in found:
            canvas.dot(across(day.toordinal()), y, _radius(score), _LEVELS[severity(score)])
    return canvas


def _radius(score: float) -> float:
    return 3.0 + 5.0 * score
