"""Databases: the records that connections and statements leave, and the families derived from them.

Names, types, labels and HELP of `django_db_*` are those of django-prometheus 2.5.0; those of
`db_client_*` follow OpenTelemetry's semantic conventions for database client metrics.
"""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.catalogue.buckets import LATENCY, SEMCONV_DB, union
from telemetry.catalogue.exemplars import exemplars, sampled
from telemetry.spec import Family, FamilyType, Kind, Layout, Projection, Source, Take

YES, NO = "1", "0"
IDLE, USED = "idle", "used"


@dataclass(frozen=True, slots=True)
class DbCatalogue:
    """The records of databases, and every family that is derived from them.

    - `connections`, `connection_errors`: attempts to connect, and those that failed.
    - `query`: a call of `execute` or (`many`) `executemany` has ended, with its clock;
      `error_type` is the driver's exception, empty where none was raised.
    - `query_sampled`: of these those of sampled requests, for their exemplars.
    - `rows`: parameter sets given to `executemany`.
    - `pool_wait`, `pool_timeouts`: a pool has lent a connection, with the time it took; it had none in time.
    - `pool_wait_sampled`: of these those of sampled requests, for their exemplars.
    - `pool_count`, `pool_max`, `pool_pending`: of a process's pool, as last published: its connections by
      state, how many it may have, how many threads wait for one.
    """

    connections: Layout
    connection_errors: Layout
    query: Layout
    query_sampled: Layout
    rows: Layout
    pool_wait: Layout
    pool_wait_sampled: Layout
    pool_timeouts: Layout
    pool_count: Layout
    pool_max: Layout
    pool_pending: Layout
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
    query_sampled = sampled(query)
    operation = {"db_system_name": "system", "db_namespace": "namespace", "db_operation_name": "operation"}
    rows = Layout("db.rows", Kind.SUM, database)
    pool_wait = Layout("db.pool_wait", Kind.HISTOGRAM, ("pool",), SEMCONV_DB)
    pool_wait_sampled = sampled(pool_wait)
    pool_timeouts = Layout("db.pool_timeouts", Kind.SUM, ("pool",))
    pool_count = Layout("db.pool_count", Kind.UPDOWN, ("pool", "state"))
    pool_max = Layout("db.pool_max", Kind.UPDOWN, ("pool",))
    pool_pending = Layout("db.pool_pending", Kind.UPDOWN, ("pool",))
    pool = {"db_client_connection_pool_name": "pool"}
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
            (Source(query), exemplars(query_sampled)),
        ),
        Projection(
            Family(
                "db_client_operation_duration_seconds",
                FamilyType.HISTOGRAM,
                "Duration of database client operations.",
                ("db_system_name", "db_namespace", "db_operation_name", "alias", "error_type"),
                SEMCONV_DB,
            ),
            (Source(query, rename=operation), exemplars(query_sampled, operation)),
        ),
        Projection(
            Family(
                "db_client_connection_wait_time_seconds",
                FamilyType.HISTOGRAM,
                "Time it took to get a connection from the pool.",
                ("db_client_connection_pool_name",),
                SEMCONV_DB,
            ),
            (Source(pool_wait, rename=pool), exemplars(pool_wait_sampled, pool)),
        ),
        _pool(
            "timeouts_total",
            FamilyType.COUNTER,
            "Number of times the pool had no connection in time.",
            pool_timeouts,
        ),
        _pool(
            "count",
            FamilyType.GAUGE,
            "Number of connections in the pool that are in the state, over all processes.",
            pool_count,
            "state",
        ),
        _pool("max", FamilyType.GAUGE, "Number of connections that the pools may open, over all processes.", pool_max),
        _pool(
            "pending_requests",
            FamilyType.GAUGE,
            "Number of requests that wait for a connection from the pool, over all processes.",
            pool_pending,
        ),
    )
    return DbCatalogue(
        connections=connections,
        connection_errors=connection_errors,
        query=query,
        query_sampled=query_sampled,
        rows=rows,
        pool_wait=pool_wait,
        pool_wait_sampled=pool_wait_sampled,
        pool_timeouts=pool_timeouts,
        pool_count=pool_count,
        pool_max=pool_max,
        pool_pending=pool_pending,
        projections=projections,
    )


def _counter(name: str, text: str, labels: tuple[str, ...], *sources: Source) -> Projection:
    return Projection(Family(name, FamilyType.COUNTER, text, labels), sources)


def _pool(what: str, kind: FamilyType, text: str, layout: Layout, *labels: str) -> Projection:
    """One of the semantic conventions' `db.client.connection.*`, by the label names of its Prometheus form."""
    prefix = "db_client_connection_"
    names = {f"{prefix}pool_name": "pool"} | {f"{prefix}{label}": label for label in labels}
    family = Family(f"{prefix}{what}", kind, text, tuple(names))
    return Projection(family, (Source(layout, rename=names),))
