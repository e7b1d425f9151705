"""Chooses how a chart is drawn."""

from __future__ import annotations

from upstream.reports.charts import Bars, Changes, Chart, Columns, Dots, Lines, Panels, Ranges
from upstream.reports.drawing.bars import bars, columns
from upstream.reports.drawing.canvas import HALF, WIDE, Canvas
from upstream.reports.drawing.lines import lines, panels
from upstream.reports.drawing.points import changes, dots, ranges


def draw(chart: Chart) -> str:
    """The picture of a chart as one `<svg>` element without ids; the same chart gives the same text.

    Raises:
        TypeError: nothing draws this kind of chart.
    """
    return _canvas(chart, WIDE if chart.wide else HALF).svg(f"{chart.title}. {chart.note}")


def _canvas(chart: Chart, width: float) -> Canvas:
    match chart:
        case Bars():
            return bars(chart, width)
        case Columns():
            return columns(chart, width)
        case Lines():
            return lines(chart, width)
        case Panels():
            return panels(chart, width)
        case Ranges():
            return ranges(chart, width)
        case Changes():
            return changes(chart, width)
        case Dots():
            return dots(chart, width)
    raise TypeError(f"chart {type(chart).__name__} has no picture")
