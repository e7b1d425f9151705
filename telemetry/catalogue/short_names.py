"""The short names that operators type, as further projections of the records of HTTP.

Where they are not switched on, the recording rules of `docs/prometheus/recording_rules.yml` give
the same names.
"""

from __future__ import annotations

from telemetry.catalogue.buckets import LATENCY
from telemetry.catalogue.exemplars import exemplars
from telemetry.catalogue.http import HttpCatalogue
from telemetry.spec import Family, FamilyType, Projection, Source, Take


def short_names(http: HttpCatalogue, buckets: tuple[float, ...] = LATENCY) -> tuple[Projection, ...]:
    """The short forms of requests by method, responses by status and the whole latency (seconds).

    Raises:
        SpecError: the buckets are not edges of the catalogue's records.
    """
    return (
        Projection(
            Family(
                "django_http_requests_total",
                FamilyType.COUNTER,
                "Requests by method; short for django_http_requests_total_by_method_total.",
                ("method",),
            ),
            (Source(http.begun, Take.COUNT),),
        ),
        Projection(
            Family(
                "django_http_responses_total_by_status",
                # A counter without _total would be renamed by parsers, to the name of the family that it abbreviates.
                FamilyType.UNTYPED,
                "Responses by status; short for django_http_responses_total_by_status_total.",
                ("status",),
            ),
            (Source(http.answered, Take.COUNT), Source(http.streamed)),
        ),
        Projection(
            Family(
                "django_http_requests_latency_seconds",
                FamilyType.HISTOGRAM,
                "Time to answer a request; short for django_http_requests_latency_including_middlewares_seconds.",
                (),
                buckets,
            ),
            (Source(http.done), exemplars(http.done_sampled)),
        ),
    )
