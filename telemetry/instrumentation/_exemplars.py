"""Exemplars of what is frequent, queries and requests: of each series and bucket one in a tenth of a second.

A bucket shows its newest alone, to a scraper that comes every few seconds, and to write one takes longer than to
record what it belongs to.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable
from time import monotonic

from opentelemetry.trace import SpanContext

from telemetry.instrumentation.underway import exemplar_of
from telemetry.samples import Key
from telemetry.store import Table

_SECONDS = 0.1


class Exemplars:
    """Those of the histogram whose sampled observations `table` is for; `clock` gives seconds."""

    def __init__(self, table: Table, clock: Callable[[], float] = monotonic) -> None:
        self._table = table
        self._clock = clock
        self._edges = table.layout.edges
        self._due: dict[Hashable, list[float]] = {}

    def keep(self, series: Hashable, key: Key, value: float, span: SpanContext) -> None:
        """What has been recorded under this key belongs to this span; `series` is the key, or stands for it."""
        due = self._due.get(series)
        if due is None:
            due = self._due[series] = [0.0] * (len(self._edges) + 1)
        bucket, now = bisect_left(self._edges, value), self._clock()
        if now >= due[bucket]:
            due[bucket] = now + _SECONDS
            self._table.observe(key, value, exemplar_of(span, value))
