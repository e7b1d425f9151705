"""HTTP: the records that a request leaves, and the families derived from them.

Names, types, labels and HELP of `django_http_*` are those of django-prometheus 2.5.0; those of
`http_server_*` follow OpenTelemetry's semantic conventions for HTTP metrics.
"""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.catalogue.buckets import LATENCY, SEMCONV_HTTP, SIZE, union
from telemetry.catalogue.exemplars import exemplars, sampled
from telemetry.spec import Family, FamilyType, Kind, Layout, Part, Projection, Source, Take

INVALID_METHOD = "<invalid method>"
UNNAMED_VIEW = "<unnamed view>"
CLIENT_GONE = "client_disconnected"
"""The `error_type` of a request whose client left, or was left by the server, before the response's end."""
YES, NO = "1", "0"

_RESPONSE = ("view", "method", "scheme", "status", "charset", "entered")


@dataclass(frozen=True, slots=True)
class HttpCatalogue:
    """The records of HTTP, and every family that is derived from them.

    - `begun`: a request has arrived; the size of its body. Its few series can each afford the size's buckets.
    - `answered`: a response with its body at hand has left the view; the inner clock.
    - `streamed`, `closed`: a stream has left the view; it has ended, with the inner clock.
    - `abandoned`: a view was entered and gave no response: its client went away.
    - `done`: the outer clock has stopped. `status` is empty where nothing was sent, `error_type`
      where nothing failed, `route` where no URL pattern matched.
    - `view_sampled`, `done_sampled`: of these those of sampled requests, for their exemplars; the former by view.
    """

    begun: Layout
    answered: Layout
    streamed: Layout
    closed: Layout
    abandoned: Layout
    done: Layout
    templates: Layout
    exceptions: Layout
    response_body: Layout
    view_sampled: Layout
    done_sampled: Layout
    projections: tuple[Projection, ...]


def http_catalogue(buckets: tuple[float, ...] = LATENCY) -> HttpCatalogue:
    """The catalogue for these latency buckets (seconds, rising, without `+Inf`).

    Raises:
        SpecError: the buckets are not finite or do not rise.
    """
    begun = Layout("http.begun", Kind.HISTOGRAM, ("method", "scheme", "ajax"), SIZE)
    answered = Layout("http.answered", Kind.HISTOGRAM, _RESPONSE, buckets)
    streamed = Layout("http.streamed", Kind.SUM, _RESPONSE)
    closed = Layout("http.closed", Kind.HISTOGRAM, ("view", "method"), buckets)
    abandoned = Layout("http.abandoned", Kind.SUM, ("view", "method", "scheme"))
    outcome = ("method", "scheme", "route", "status", "error_type", "protocol")
    done = Layout("http.done", Kind.HISTOGRAM, outcome, union(buckets, SEMCONV_HTTP))
    templates = Layout("http.templates", Kind.SUM, ("templatename",))
    exceptions = Layout("http.exceptions", Kind.SUM, ("type", "view"))
    response_body = Layout("http.response_body", Kind.HISTOGRAM, (), SIZE)
    view_sampled, done_sampled = sampled(answered, ("view", "method")), sampled(done)

    responses = (Source(answered, Take.COUNT), Source(streamed))
    transport = {"transport": "scheme"}
    entered = {"entered": frozenset({YES})}
    semconv = {"http_request_method": "method", "url_scheme": "scheme"}
    outcomes = semconv | {
        "http_route": "route",
        "http_response_status_code": "status",
        "network_protocol_version": "protocol",
    }
    other = {"http_request_method": {INVALID_METHOD: "_OTHER"}}

    projections = (
        _counter(
            "django_http_requests_before_middlewares_total",
            "Total count of requests before middlewares run.",
            (),
            Source(begun, Take.COUNT),
        ),
        _counter(
            "django_http_responses_before_middlewares_total",
            "Total count of responses before middlewares run.",
            (),
            Source(done, Take.COUNT),
        ),
        _histogram(
            "django_http_requests_latency_including_middlewares_seconds",
            "Histogram of requests processing time (including middleware processing time).",
            (),
            buckets,
            Source(done),
            exemplars(done_sampled),
        ),
        _counter(
            "django_http_requests_unknown_latency_including_middlewares_total",
            "Count of requests for which the latency was unknown (when computing "
            "django_http_requests_latency_including_middlewares_seconds).",
        ),
        _histogram(
            "django_http_requests_latency_seconds_by_view_method",
            "Histogram of request processing time labelled by view.",
            ("view", "method"),
            buckets,
            Source(answered),
            Source(closed),
            exemplars(view_sampled),
        ),
        _counter("django_http_requests_unknown_latency_total", "Count of requests for which the latency was unknown."),
        _counter(
            "django_http_ajax_requests_total",
            "Count of AJAX requests.",
            (),
            Source(begun, Take.COUNT, where={"ajax": frozenset({YES})}),
        ),
        _counter(
            "django_http_requests_total_by_method_total",
            "Count of requests by method.",
            ("method",),
            Source(begun, Take.COUNT),
        ),
        _counter(
            "django_http_requests_total_by_transport_total",
            "Count of requests by transport.",
            ("transport",),
            Source(begun, Take.COUNT, rename=transport),
        ),
        _counter(
            "django_http_requests_total_by_view_transport_method_total",
            "Count of requests by view, transport, method.",
            ("view", "transport", "method"),
            Source(answered, Take.COUNT, rename=transport, where=entered),
            Source(streamed, rename=transport, where=entered),
            Source(abandoned, rename=transport),
        ),
        _histogram(
            "django_http_requests_body_total_bytes",
            "Histogram of requests by body size.",
            (),
            SIZE,
            Source(begun),
        ),
        _counter(
            "django_http_responses_total_by_templatename_total",
            "Count of responses by template name.",
            ("templatename",),
            Source(templates),
        ),
        _counter(
            "django_http_responses_total_by_status_total", "Count of responses by status.", ("status",), *responses
        ),
        _counter(
            "django_http_responses_total_by_status_view_method_total",
            "Count of responses by status, view, method.",
            ("status", "view", "method"),
            *responses,
        ),
        _histogram(
            "django_http_responses_body_total_bytes",
            "Histogram of responses by body size.",
            (),
            SIZE,
            Source(response_body),
        ),
        _counter(
            "django_http_responses_total_by_charset_total", "Count of responses by charset.", ("charset",), *responses
        ),
        _counter("django_http_responses_streaming_total", "Count of streaming responses.", (), Source(streamed)),
        _counter(
            "django_http_exceptions_total_by_type_total",
            "Count of exceptions by object type.",
            ("type",),
            Source(exceptions),
        ),
        _counter(
            "django_http_exceptions_total_by_view_total", "Count of exceptions by view.", ("view",), Source(exceptions)
        ),
        _histogram(
            "http_server_request_duration_seconds",
            "Duration of HTTP server requests.",
            (
                "http_request_method",
                "url_scheme",
                "http_route",
                "http_response_status_code",
                "error_type",
                "network_protocol_version",
            ),
            SEMCONV_HTTP,
            Source(done, rename=outcomes, values=other),
            exemplars(done_sampled, outcomes, other),
        ),
        Projection(
            Family(
                "http_server_active_requests",
                FamilyType.GAUGE,
                "Number of active HTTP server requests.",
                ("http_request_method", "url_scheme"),
            ),
            (
                Source(begun, Take.COUNT, rename=semconv, values=other, part=Part.LIVING),
                Source(done, Take.COUNT, rename=semconv, values=other, sign=-1, part=Part.LIVING),
            ),
            floor=0.0,
        ),
        Projection(
            Family(
                "telemetry_http_requests_lost_total",
                FamilyType.COUNTER,
                "Requests that had begun and not ended when their process died.",
            ),
            (Source(begun, Take.COUNT, part=Part.GONE), Source(done, Take.COUNT, sign=-1, part=Part.GONE)),
            floor=0.0,
        ),
    )
    return HttpCatalogue(
        begun=begun,
        answered=answered,
        streamed=streamed,
        closed=closed,
        abandoned=abandoned,
        done=done,
        templates=templates,
        exceptions=exceptions,
        response_body=response_body,
        view_sampled=view_sampled,
        done_sampled=done_sampled,
        projections=projections,
    )


def _counter(name: str, text: str, labels: tuple[str, ...] = (), *sources: Source) -> Projection:
    return Projection(Family(name, FamilyType.COUNTER, text, labels), sources)


def _histogram(
    name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...], *sources: Source
) -> Projection:
    return Projection(Family(name, FamilyType.HISTOGRAM, text, labels, buckets), sources)
