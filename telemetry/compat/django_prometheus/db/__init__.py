"""The six metrics of databases, by their names; the engines are in `backends`, what makes one in `common`."""

from __future__ import annotations

from telemetry.compat.django_prometheus.db.metrics import (
    Counter,
    connection_errors_total,
    connections_total,
    errors_total,
    execute_many_total,
    execute_total,
    query_duration_seconds,
)

__all__ = [
    "Counter",
    "connection_errors_total",
    "connections_total",
    "errors_total",
    "execute_many_total",
    "execute_total",
    "query_duration_seconds",
]
