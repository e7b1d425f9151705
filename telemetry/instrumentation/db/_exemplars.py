"""Exemplars of sampled queries: of each series and bucket one in a tenth of a second.

A bucket shows its newest alone, to a scraper that comes every few seconds, and to write one takes longer than to
record the query.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from time import monotonic

from opentelemetry.trace import SpanContext

from telemetry.instrumentation.underway import exemplar_of
from telemetry.store import Histogram, Table

_SECONDS = 0.1


class Exemplars:
    """Those of the histogram whose sampled observations `table` is for; `clock` gives seconds."""

    def __init__(self, table: Table, clock: Callable[[], float] = monotonic) -> None:
        self._table = table
        self._clock = clock
        self._edges = table.layout.edges
        self._due: dict[Histogram, list[float]] = {}

    def keep(self, series: Histogram, value: float, span: SpanContext) -> None:
        """What has been recorded in this series belongs to this span."""
        due = self._due.get(series)
        if due is None:
            due = self._due[series] = [0.0] * (len(self._edges) + 1)
        bucket, now = bisect_left(self._edges, value), self._clock()
        if now >= due[bucket]:
            due[bucket] = now + _SECONDS
            self._table.observe(series.key, value, exemplar_of(span, value))
