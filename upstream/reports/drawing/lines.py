"""Lines over time, each named where it ends."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from itertools import groupby

from upstream.reports.charts import Lines, Panels
from upstream.reports.drawing.canvas import COOL, FAINT, INK, MUTED, REST, SMALL, WARM, Canvas, fit, width_of
from upstream.reports.drawing.scales import Scale, apart, some, ticks
from upstream.reports.words import Kind, short, show

_HEIGHT = 260.0
_GAP = 13.5
_PANEL_HEIGHT = 170.0
_NAME = 120.0
_PERFECT = 0.98
"""From there on, differences between scores are shown no larger."""


def lines(chart: Lines, width: float) -> Canvas:
    """Lines from 0 on; those that are not strong stay in the background."""
    canvas = Canvas(width, _HEIGHT)
    top, bottom, left = 10.0, 26.0, 42.0
    right = min(_NAME, max(width_of(series.label, SMALL, bold=series.strong) for series in chart.series)) + 14
    known = [value for series in chart.series for value in series.values if value is not None]
    levels = ticks(0, max(known))
    up = Scale(0, levels[-1], _HEIGHT - bottom, top)
    across = _time(chart.days[0], chart.days[-1], left + 6, width - right)
    for level in levels:
        canvas.line((left, width - right), (up(level), up(level)), FAINT)
        canvas.text(left - 6, up(level), _level(level, chart.kind), align="right", color=MUTED, size=SMALL)
    for day in some(chart.days, 5):
        canvas.text(across(day.toordinal()), _HEIGHT - 12, short(day), align="center", color=MUTED, size=SMALL)
    shown = [series for series in chart.series if any(value is not None for value in series.values)]
    shown.sort(key=lambda series: series.strong)
    ends = [up(next(value for value in reversed(series.values) if value is not None)) for series in shown]
    names = apart(ends, _GAP, top, _HEIGHT - bottom)
    for series, name in zip(shown, names, strict=True):
        color, thick = (WARM, 2.6) if series.strong else (REST, 1.4)
        _trace(canvas, [across(day.toordinal()) for day in chart.days], series.values, up, color, thick)
        text = fit(series.label, _NAME, SMALL, bold=series.strong)
        x, muted = width - right + 8, WARM if series.strong else MUTED
        canvas.text(x, name, text, color=muted, size=SMALL, bold=series.strong)
    return canvas


def panels(chart: Panels, width: float) -> Canvas:
    """One small chart for each score, all on one scale."""
    canvas = Canvas(width, _PANEL_HEIGHT)
    gap, top, bottom = 26.0, 44.0, 24.0
    known = [value for panel in chart.panels for value in panel.values if value is not None]
    known += [value for panel in chart.panels for _, value in panel.behind]
    levels = [level for level in ticks(min(*known, _PERFECT), 1.0, 3) if level <= 1.0001]
    lowest = min(levels[0], *known)
    left = max(width_of(f"{level:.4g}", SMALL) for level in levels) + 10
    up = Scale(lowest, 1, _PANEL_HEIGHT - bottom, top)
    each = (width - left - gap * (len(chart.panels) - 1)) / len(chart.panels)
    for level in levels:
        canvas.text(left - 8, up(level), f"{level:.4g}", align="right", color=MUTED, size=SMALL)
    for number, panel in enumerate(chart.panels):
        x = left + number * (each + gap)
        across = _time(chart.start, chart.days[-1], x + 4, x + each - 4)
        color = WARM if panel.strong else INK
        canvas.text(x, 10, panel.label, color=color, bold=True)
        canvas.text(x + each, 10, panel.text, align="right", color=color, bold=True)
        for level in levels:
            canvas.line((x, x + each), (up(level), up(level)), FAINT)
        if panel.behind:
            xs, ys = zip(*((across(day.toordinal()), up(value)) for day, value in panel.behind), strict=True)
            canvas.line(xs, ys, REST, 4)
        places = [across(day.toordinal()) for day in chart.days]
        _trace(canvas, places, panel.values, up, WARM if panel.strong else COOL, 1.6, radius=2.6)
        canvas.text(x, _PANEL_HEIGHT - 10, short(chart.start), color=MUTED, size=SMALL)
        if chart.start != chart.days[-1]:
            canvas.text(x + each, _PANEL_HEIGHT - 10, short(chart.days[-1]), align="right", color=MUTED, size=SMALL)
    return canvas


def _time(first: datetime.date, last: datetime.date, left: float, right: float) -> Scale:
    if first == last:
        return Scale(first.toordinal() - 1, last.toordinal() + 1, left, right)
    return Scale(first.toordinal(), last.toordinal(), left, right)


def _trace(
    canvas: Canvas, xs: Sequence[float], values: Sequence[float | None], up: Scale, color: str, thick: float,
    radius: float = 0,
) -> None:  # fmt: skip
    """A line that is broken where there is no value; a value alone is a dot, and so is the last."""
    points = [(x, None if value is None else up(value)) for x, value in zip(xs, values, strict=True)]
    for is_known, run in groupby(points, key=lambda point: point[1] is not None):
        known = [(x, y) for x, y in run if y is not None]
        if not is_known:
            continue
        canvas.line([x for x, _ in known], [y for _, y in known], color, thick)
        for x, y in known if radius or len(known) == 1 else ():
            canvas.dot(x, y, radius or thick + 1, color)
    last = next((point for point in reversed(points) if point[1] is not None), None)
    if last and last[1] is not None:
        canvas.dot(last[0], last[1], max(radius, thick + 1), color)


def _level(level: float, kind: Kind) -> str:
    return f"{level * 100:.4g}%" if kind is Kind.SHARE else show(level, kind)
