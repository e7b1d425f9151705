"""What a request's end tells about its queries: their number, their time, and one that ran too often."""

from __future__ import annotations

from opentelemetry.trace import Span

from telemetry.catalogue.request_queries import RequestQueriesCatalogue
from telemetry.instrumentation.underway import Underway, exemplar_of
from telemetry.store import Store

QUERIES, SECONDS, REPEATED = "telemetry.db.queries", "telemetry.db.seconds", "telemetry.db.repeated"
"""Attributes of a request's span: statements executed, what they took, how often the one ran that ran most."""


class RequestQueries:
    """Records what requests ask of databases.

    A request counts as repeating itself where one statement ran in it more than `threshold` times.
    """

    def __init__(self, store: Store, catalogue: RequestQueriesCatalogue, *, threshold: int = 10) -> None:
        self._threshold = threshold
        self._queries = store.table(catalogue.queries)
        self._seconds = store.table(catalogue.seconds)
        self._repeated = store.table(catalogue.repeated)
        self._queries_sampled = store.table(catalogue.queries_sampled)
        self._seconds_sampled = store.table(catalogue.seconds_sampled)

    def ended(self, request: Underway, view: str, method: str) -> None:
        """A request has ended, and its response's last byte has been sent."""
        key, queries, span = (view, method), request.queries, request.span
        self._queries.observe(key, queries)
        if span is not None:
            self._queries_sampled.observe(key, queries, exemplar_of(span, queries))
        if not queries:
            return
        seconds = request.seconds
        self._seconds.observe(key, seconds)
        if span is not None:
            self._seconds_sampled.observe(key, seconds, exemplar_of(span, seconds))
        if queries > self._threshold and request.most() > self._threshold:
            self._repeated.observe((view,), 1.0, None if span is None else exemplar_of(span, 1.0))


def describe(span: Span, request: Underway) -> None:
    """Tell a request's span, which is about to end, what the request has asked of databases."""
    span.set_attribute(QUERIES, request.queries)
    if request.queries:
        span.set_attribute(SECONDS, request.seconds)
        span.set_attribute(REPEATED, request.most())
