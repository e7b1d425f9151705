"""The page of a scrape in the format that was asked for."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Metric

from telemetry.exposition.negotiation import Format
from telemetry.exposition.openmetrics import OpenMetricsEncoder
from telemetry.exposition.text import TextEncoder
from telemetry.samples import FamilySamples


class Renderer:
    """Renders scrape after scrape, and faster from the second on; safe under threads.

    `limit` is the number of series a format whose rendered names and labels are kept.
    """

    def __init__(self, limit: int = 20_000) -> None:
        self._encoders = {Format.TEXT: TextEncoder(limit), Format.OPENMETRICS: OpenMetricsEncoder(limit)}

    def render(
        self,
        families: Iterable[FamilySamples],
        format: Format = Format.TEXT,
        foreign: Iterable[Metric] = (),
    ) -> bytes:
        """The page: `families`, then the metrics of other collectors (see `ForeignMetrics`) as prometheus_client
        writes them.

        What clashes with the name of something before it, and what cannot be written, is left out
        and logged once; the rest of the page stands.
        """
        return self._encoders[format].render(families, foreign)
