"""What a request's end tells about its queries: their number, their time, and one that ran too often.

Statements that differ in their literals, or in how many of them a list has, are one statement.
"""

from __future__ import annotations

import re
from functools import lru_cache

from opentelemetry.trace import Span

from telemetry.catalogue.request_queries import RequestQueriesCatalogue
from telemetry.instrumentation._exemplars import Exemplars
from telemetry.instrumentation._statements import sanitize
from telemetry.instrumentation.underway import TAIL, Underway, exemplar_of
from telemetry.store import Store

QUERIES, SECONDS, REPEATED = "telemetry.db.queries", "telemetry.db.seconds", "telemetry.db.repeated"
"""Attributes of a request's span: statements executed, what they took, how often the one ran that ran most."""
_VALUE = r"(?:\?|%s|%\(\w++\)s)"
_LIST = re.compile(rf"\(\s*+{_VALUE}(?:\s*+,\s*+{_VALUE})*+\s*+\)")
_ROWS = re.compile(r"\(\?\)(?:\s*+,\s*+\(\?\))++")
_TEXTS = 1024
"""How many statements' shapes are kept for the next request."""


class RequestQueries:
    """Records what requests ask of databases.

    A request counts as repeating itself where one statement ran in it more than `threshold` times.
    """

    def __init__(self, store: Store, catalogue: RequestQueriesCatalogue, *, threshold: int = 10) -> None:
        self._threshold = threshold
        self._queries = store.table(catalogue.queries)
        self._seconds = store.table(catalogue.seconds)
        self._repeated = store.table(catalogue.repeated)
        self._queries_exemplars = Exemplars(store.table(catalogue.queries_sampled))
        self._seconds_exemplars = Exemplars(store.table(catalogue.seconds_sampled))

    def ended(self, request: Underway, view: str, method: str) -> None:
        """A request has ended, and its response's last byte has been sent."""
        key, queries, span = (view, method), request.queries, request.span
        self._queries.observe(key, queries)
        if span is not None:
            self._queries_exemplars.keep(key, key, queries, span)
        if not queries:
            return
        seconds = request.seconds
        self._seconds.observe(key, seconds)
        if span is not None:
            self._seconds_exemplars.keep(key, key, seconds, span)
        if queries > self._threshold and most(request) > self._threshold:
            self._repeated.observe((view,), 1.0, None if span is None else exemplar_of(span, 1.0))


def describe(span: Span, request: Underway) -> None:
    """Tell a request's span, which is about to end, what the request has asked of databases."""
    span.set_attribute(QUERIES, request.queries)
    if request.queries:
        span.set_attribute(SECONDS, request.seconds)
        span.set_attribute(REPEATED, most(request))


def most(request: Underway) -> int:
    """How often the statement ran that ran most."""
    if len(request.shapes) < 2:
        return request.most()
    times: dict[str, int] = {}
    for text, ran in request.shapes.items():
        shape = _shape(text)
        times[shape] = times.get(shape, 0) + ran
    return max(times.values())


@lru_cache(_TEXTS)
def _shape(text: str) -> str:
    # Where the beginning is cut off, a quote may open a string or close one.
    return _ROWS.sub("(?)", _LIST.sub("(?)", sanitize(text) if len(text) < TAIL else text))
