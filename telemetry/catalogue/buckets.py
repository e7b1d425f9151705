"""Bucket edges of the families: upper, inclusive bounds without `+Inf`, rising."""

from __future__ import annotations

LATENCY = (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 25.0, 50.0, 75.0)
"""Seconds; the default of django-prometheus's `PROMETHEUS_LATENCY_BUCKETS`."""

SIZE = (0.0, *(2.0**power for power in range(30)))
"""Bytes; django-prometheus's `PowersOf(2, 30)`."""

SEMCONV_HTTP = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Seconds; semantic conventions, `http.server.request.duration`."""

SEMCONV_DB = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
"""Seconds; semantic conventions, `db.client.operation.duration`."""


def union(*edges: tuple[float, ...]) -> tuple[float, ...]:
    """The edges that a record needs so that each of the given sets can be derived from it."""
    return tuple(sorted(set().union(*edges)))
