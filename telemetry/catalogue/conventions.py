"""The names that OpenTelemetry's semantic conventions give to families which the page shows in Prometheus's spelling.

https://opentelemetry.io/docs/specs/semconv/http/http-metrics/ and .../database/database-metrics/
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Convention:
    """A metric by its dotted name, its unit (UCUM) and the kind of instrument that it stands for."""

    name: str
    unit: str
    kind: str


CONVENTIONS = {
    "http_server_request_duration_seconds": Convention("http.server.request.duration", "s", "Histogram"),
    "http_server_active_requests": Convention("http.server.active_requests", "{request}", "UpDownCounter"),
    "db_client_operation_duration_seconds": Convention("db.client.operation.duration", "s", "Histogram"),
    "db_client_connection_count": Convention("db.client.connection.count", "{connection}", "UpDownCounter"),
    "db_client_connection_max": Convention("db.client.connection.max", "{connection}", "UpDownCounter"),
    "db_client_connection_pending_requests": Convention(
        "db.client.connection.pending_requests", "{request}", "UpDownCounter"
    ),
    "db_client_connection_timeouts_total": Convention("db.client.connection.timeouts", "{timeout}", "Counter"),
    "db_client_connection_wait_time_seconds": Convention("db.client.connection.wait_time", "s", "Histogram"),
}
"""By the name of the family."""

ATTRIBUTES = {
    "http_request_method": "http.request.method",
    "http_response_status_code": "http.response.status_code",
    "http_route": "http.route",
    "url_scheme": "url.scheme",
    "network_protocol_version": "network.protocol.version",
    "error_type": "error.type",
    "db_system_name": "db.system.name",
    "db_namespace": "db.namespace",
    "db_operation_name": "db.operation.name",
    "db_client_connection_pool_name": "db.client.connection.pool.name",
    "db_client_connection_state": "db.client.connection.state",
}
"""The attributes of those families by the names of their labels; a label that has none keeps its name."""

NUMBERS = frozenset({"http.response.status_code"})
"""Attributes whose values are whole numbers."""
