"""Makes pictures (SVG) of charts, by matplotlib: slow to import, so imported only where a report is written."""

from upstream.reports.drawing.pictures import draw

__all__ = ["draw"]
