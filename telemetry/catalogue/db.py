"""Databases: the records that connections and statements leave, and the families derived from them.

Names, types, labels and HELP of `django_db_*` are those of django-prometheus 2.5.0; those of
`db_client_*` follow OpenTelemetry's semantic conventions for database client metrics.
"""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.catalogue.buckets import LATENCY, SEMCONV_DB, union
from telemetry.spec import Family, FamilyType, Kind, Layout, Projection, Source, Take

YES, NO = "1", "0"


@dataclass(frozen=True, slots=True)
class DbCatalogue:
    """The records of databases, and every family that is derived from them.

    - `connections`, `connection_errors`: attempts to connect, and those that failed.
    - `query`: a call of `execute` or (`many`) `executemany` has ended, with its clock;
      `error_type` is the driver's exception, empty where none was raised.
    - `rows`: parameter sets given to `executemany`.
    """

    connections: Layout
    connection_errors: Layout
    query: Layout
    rows: Layout
    projections: tuple[Projection, ...]


def db_catalogue(buckets: tuple[float, ...] = LATENCY) -> DbCatalogue:
    """The catalogue for these latency buckets (seconds, rising, without `+Inf`).

    Raises:
        SpecError: the buckets are not finite or do not rise.
    """
    database = ("alias", "vendor")
    connections = Layout("db.connections", Kind.SUM, database)
    connection_errors = Layout("db.connection_errors", Kind.SUM, database)
    query = Layout(
        "db.query",
        Kind.HISTOGRAM,
        (*database, "system", "namespace", "operation", "many", "error_type"),
        union(buckets, SEMCONV_DB),
    )
    rows = Layout("db.rows", Kind.SUM, database)
    projections = (
        _counter(
            "django_db_new_connections_total",
            "Counter of created connections by database and by vendor.",
            database,
            Source(connections),
        ),
        _counter(
            "django_db_new_connection_errors_total",
            "Counter of connection failures by database and by vendor.",
            database,
            Source(connection_errors),
        ),
        _counter(
            "django_db_execute_total",
            "Counter of executed statements by database and by vendor, including bulk executions.",
            database,
            Source(query, Take.COUNT, where={"many": frozenset({NO})}),
            Source(rows),
        ),
        _counter(
            "django_db_execute_many_total",
            "Counter of executed statements in bulk operations by database and by vendor.",
            database,
            Source(rows),
        ),
        _counter(
            "django_db_errors_total",
            "Counter of execution errors by database, vendor and exception type.",
            (*database, "type"),
            Source(query, Take.COUNT, rename={"type": "error_type"}, unless={"error_type": frozenset({""})}),
        ),
        Projection(
            Family(
                "django_db_query_duration_seconds",
                FamilyType.HISTOGRAM,
                "Histogram of query duration by database and vendor.",
                database,
                buckets,
            ),
            (Source(query),),
        ),
        Projection(
            Family(
                "db_client_operation_duration_seconds",
                FamilyType.HISTOGRAM,
                "Duration of database client operations.",
                ("db_system_name", "db_namespace", "db_operation_name", "alias", "error_type"),
                SEMCONV_DB,
            ),
            (
                Source(
                    query,
                    rename={"db_system_name": "system", "db_namespace": "namespace", "db_operation_name": "operation"},
                ),
            ),
        ),
    )
    return DbCatalogue(connections, connection_errors, query, rows, projections)


def _counter(name: str, text: str, labels: tuple[str, ...], *sources: Source) -> Projection:
    return Projection(Family(name, FamilyType.COUNTER, text, labels), sources)
