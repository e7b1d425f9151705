"""What the database does for a request: the records that its end leaves, and the families derived from them.

Neither django-prometheus nor OpenTelemetry's semantic conventions have such families; the names are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.catalogue.exemplars import exemplars, sampled
from telemetry.spec import Family, FamilyType, Kind, Layout, Projection, Source, Take

QUERIES = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_VIEW = ("view", "method")


@dataclass(frozen=True, slots=True)
class RequestQueriesCatalogue:
    """The records of what requests ask of databases, and every family that is derived from them.

    - `queries`: a request has ended, having executed so many statements.
    - `seconds`: one that executed any has ended; what they took, one after another.
    - `repeated`: one has ended in which one statement ran more often than the threshold; how often.
    """

    queries: Layout
    seconds: Layout
    repeated: Layout
    queries_sampled: Layout
    seconds_sampled: Layout
    projections: tuple[Projection, ...]


def request_queries_catalogue() -> RequestQueriesCatalogue:
    """The catalogue of what requests ask of databases."""
    queries = Layout("http.request_queries", Kind.HISTOGRAM, _VIEW, QUERIES)
    seconds = Layout("http.request_db_seconds", Kind.HISTOGRAM, _VIEW, SECONDS)
    # A histogram of one bucket, for that has room for an exemplar; few requests repeat themselves.
    repeated = Layout("http.repeated_queries", Kind.HISTOGRAM, ("view",), exemplars=True)
    queries_sampled, seconds_sampled = sampled(queries), sampled(seconds)
    projections = (
        Projection(
            Family(
                "telemetry_http_request_db_queries",
                FamilyType.HISTOGRAM,
                "Number of database statements that a request executed.",
                _VIEW,
                QUERIES,
            ),
            (Source(queries), exemplars(queries_sampled)),
        ),
        Projection(
            Family(
                "telemetry_http_request_db_seconds",
                FamilyType.HISTOGRAM,
                "Time that the statements of a request took, of requests that executed any.",
                _VIEW,
                SECONDS,
            ),
            (Source(seconds), exemplars(seconds_sampled)),
        ),
        Projection(
            Family(
                "telemetry_http_requests_repeated_queries_total",
                FamilyType.COUNTER,
                "Requests in which one statement was executed more often than TELEMETRY_REPEATED_QUERIES (N+1).",
                ("view",),
            ),
            (Source(repeated, Take.COUNT),),
        ),
    )
    return RequestQueriesCatalogue(queries, seconds, repeated, queries_sampled, seconds_sampled, projections)
