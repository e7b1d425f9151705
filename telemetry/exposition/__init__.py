"""Families in, bytes out: the two text formats, who gets which, and other people's metrics beside ours."""

from telemetry.exposition.foreign import ForeignMetrics
from telemetry.exposition.negotiation import Format, choose, gzip_accepted
from telemetry.exposition.renderer import Renderer

__all__ = ["ForeignMetrics", "Format", "Renderer", "choose", "gzip_accepted"]
