"""The six metrics of databases. Nothing needs to add to them: every connection is watched already.

What a project's own code adds by hand is on the page on top of what was seen.
"""

from __future__ import annotations

from telemetry.catalogue.db import db_catalogue
from telemetry.compat.django_prometheus._recorded import Counter, counter, histogram
from telemetry.compat.django_prometheus.conf import PROMETHEUS_LATENCY_BUCKETS

__all__ = [
    "Counter",
    "connection_errors_total",
    "connections_total",
    "errors_total",
    "execute_many_total",
    "execute_total",
    "query_duration_seconds",
]

_FAMILIES = {
    projection.family.name: projection.family
    for projection in db_catalogue(PROMETHEUS_LATENCY_BUCKETS[:-1]).projections
}

connections_total = counter(_FAMILIES["django_db_new_connections_total"])
connection_errors_total = counter(_FAMILIES["django_db_new_connection_errors_total"])
execute_total = counter(_FAMILIES["django_db_execute_total"])
execute_many_total = counter(_FAMILIES["django_db_execute_many_total"])
errors_total = counter(_FAMILIES["django_db_errors_total"])
query_duration_seconds = histogram(_FAMILIES["django_db_query_duration_seconds"])
