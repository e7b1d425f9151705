"""The list of differences: where django-prometheus 2.5.0 counts wrong, and what the right count is.

Everything that is not on this list is the same. Each entry says what is wrong there, and by how much ours is more or
less, so the right value is theirs and the changes of all entries. An entry that does not occur fails the test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from telemetry.tests.dropin.page import line

ONLY_OURS = {
    "django_cache_lookups_total": "keys looked up, by alias",
    "django_cache_operation_duration_seconds": "how long caches take",
    "django_cache_operations_total": "what they do beside get",
}
"""Families under `django_` that they do not have, and what for."""

REQUESTS = "django_http_requests_body_total_bytes"
RESPONSES = "django_http_responses_body_total_bytes"
_VIEW = "django_http_requests_latency_seconds_by_view_method_count"
_STATUS = "django_http_responses_total_by_status_total"
_STATUS_VIEW = "django_http_responses_total_by_status_view_method_total"
_METHOD = "django_http_requests_total_by_method_total"
_UNNAMED = "<unnamed view>"
_INVALID = "<invalid method>"
IN_FLIGHT = {
    line(
        "django_http_requests_total_by_view_transport_method_total",
        {"view": "prometheus-django-metrics", "transport": "http", "method": "GET"},
    ): -1
}
"""The scrape itself, on its own page."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is wrong with theirs; what ours has more, by sample; the bodies that ours sees besides, in bytes."""

    why: str
    changes: Mapping[str, int] = field(default_factory=dict)
    bodies: Mapping[str, Sequence[int]] = field(default_factory=dict)
    server: str = ""
    """The only one where it occurs; empty: all."""


DIFFERENCES = (
    Difference(
        "What a middleware answers in the view's place (a preflight, a refusal, a stranger's Host, its own failure) "
        "is missing in all families of views; errors that users get do not show. TELEMETRY_SHORT_CIRCUITS.",
        {
            **{line(_STATUS, {"status": status}): 1 for status in ("204", "400", "500", "503")},
            **{
                line(_STATUS_VIEW, {"status": status, "view": _UNNAMED, "method": method}): 1
                for status, method in (("204", "OPTIONS"), ("400", "GET"), ("500", "GET"), ("503", "GET"))
            },
            line("django_http_responses_total_by_charset_total", {"charset": "utf-8"}): 4,
            line(_VIEW, {"view": _UNNAMED, "method": "GET"}): 3,
            line(_VIEW, {"view": _UNNAMED, "method": "OPTIONS"}): 1,
        },
        {RESPONSES: (0, 143, 145, len("closed"))},
    ),
    Difference(
        "A request that a middleware answers is no request by method, by transport or by size either.",
        {
            line(_METHOD, {"method": "GET"}): 3,
            line(_METHOD, {"method": "OPTIONS"}): 1,
            line("django_http_requests_total_by_transport_total", {"transport": "http"}): 4,
        },
        {REQUESTS: (0, 0, 0, 0)},
    ),
    Difference(
        "The method is the one that a middleware put in, not the one that came.",
        {line(_METHOD, {"method": "DELETE"}): -1, line(_METHOD, {"method": "POST"}): 1},
    ),
    Difference(
        "The time by view, and it alone, has unknown methods as they came: a client can make any number of series.",
        {
            line(_VIEW, {"view": "home", "method": "FOO"}): -1,
            line(_VIEW, {"view": "echo", "method": "FOO"}): -1,
            line(_VIEW, {"view": _UNNAMED, "method": "BAR"}): -1,
            line(_VIEW, {"view": "stock", "method": "BAZ"}): -1,
            **{line(_VIEW, {"view": view, "method": _INVALID}): 1 for view in ("home", "echo", _UNNAMED, "stock")},
        },
    ),
    Difference(
        "A view that raises is timed twice: when it raises and when Django has answered.",
        {
            line(_VIEW, {"view": "error", "method": "GET"}): -6,
            **{
                line(_VIEW, {"view": view, "method": "GET"}): -1
                for view in ("api-failing", "async-error", "catalogue:detail", "data", "template-broken")
            },
        },
    ),
    Difference(
        "What Django REST framework answers is no exception, though Http404 and PermissionDenied of other views are.",
        {
            **{
                line("django_http_exceptions_total_by_type_total", {"type": name}): 1
                for name in (
                    "APIException",
                    "Http404",
                    "MethodNotAllowed",
                    "NotAuthenticated",
                    "ParseError",
                    "PermissionDenied",
                    "Throttled",
                    "ValidationError",
                )
            },
            **{
                line("django_http_exceptions_total_by_view_total", {"view": view}): count
                for view, count in (("api-failing", 5), ("api:product-detail", 2), ("api:product-list", 1))
            },
        },
    ),
    Difference(
        "A view is counted before it runs; ours is counted with its answer, so the scrape is not on its own page.",
        IN_FLIGHT,
    ),
    Difference(
        "Streams and files have no size: two streams, two answers with a file, one that broke off.",
        bodies={RESPONSES: (13, 13, 10_000, 10_000, 4)},
    ),
    Difference(
        "A client that leaves an async view leaves a request without an end; one that leaves a stream has got a part.",
        {
            "django_http_responses_before_middlewares_total{}": 3,
            "django_http_requests_latency_including_middlewares_seconds_count{}": 3,
        },
        {RESPONSES: (4, 4)},
        server="uvicorn",
    ),
    Difference(
        "bulk_create, bulk_update, update and delete of a QuerySet write rows that are not counted: four of each.",
        {
            "django_model_inserts_total{model=product}": 4,
            "django_model_updates_total{model=product}": 8,
            "django_model_deletes_total{model=product}": 4,
        },
    ),
    Difference(
        "A row counts as inserted though the database refused it.",
        {"django_model_inserts_total{model=product}": -2},
    ),
    Difference(
        "A cached value that is false comes back as the default (dp#493), here cache_page's empty list of headers: "
        "the cached page is never found, nor looked for.",
        {
            "django_cache_get_total{backend=filebased}": 1,
            "django_cache_get_hits_total{backend=filebased}": 1,
        },
    ),
    Difference(
        "A cached None is a miss.",
        {"django_cache_get_hits_total{backend=locmem}": 1, "django_cache_get_misses_total{backend=locmem}": -1},
    ),
)


def of(server: str) -> tuple[Difference, ...]:
    """The differences that occur under this server."""
    return tuple(each for each in DIFFERENCES if each.server in ("", server))
