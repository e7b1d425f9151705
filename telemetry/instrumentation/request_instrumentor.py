"""Switches spans of requests on, in the place and with the words of `opentelemetry-instrumentation-django`.

Once the app is ready, the stock `DjangoInstrumentor()` is this one: a project's `.instrument(request_hook=…)` gives
the hook to our middleware, and no second span is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.instrumentation import django as stock
from opentelemetry.instrumentation.django.middleware.otel_middleware import _DjangoMiddleware
from opentelemetry.trace import TracerProvider, get_tracer
from opentelemetry.util.http import ExcludeList, parse_excluded_urls

from telemetry.errors import ConfigurationError
from telemetry.instrumentation._in_place import InPlace, goes_elsewhere
from telemetry.instrumentation._request_attributes import Rules
from telemetry.instrumentation._stock import HTTP, HTTP_SCHEMA, NO_METERS, conventions
from telemetry.instrumentation.request_spans import SpanMiddleware

__all__ = ["BEFORE", "OURS", "STOCK", "DjangoInstrumentor", "StockInstrumentor", "silence_stock"]

BEFORE = "telemetry.middleware.PrometheusBeforeMiddleware"
OURS = "telemetry.instrumentation.request_spans.SpanMiddleware"
STOCK = "opentelemetry.instrumentation.django.middleware.otel_middleware._DjangoMiddleware"
_SCOPE = "telemetry.instrumentation.spans"  # by which collectors know our spans
StockInstrumentor: Any = stock.DjangoInstrumentor
_StockMiddleware: Any = _DjangoMiddleware


class DjangoInstrumentor(InPlace, StockInstrumentor):  # type: ignore[misc]
    """The stock instrumentor's words, our middleware."""

    get_middleware: Callable[[], Sequence[str]]
    set_middleware: Callable[[Sequence[str]], None]

    def _instrument(
        self,
        *,
        failed: Callable[[str, BaseException], None],
        tracer_provider: TracerProvider | None = None,
        excluded_urls: str | ExcludeList | None = None,
        request_hook: Callable[..., None] | None = None,
        response_hook: Callable[..., None] | None = None,
        is_sql_commentor_enabled: bool = False,
        middleware_position: int = 0,
        **_: object,
    ) -> None:
        SpanMiddleware.excluded = _excluded(excluded_urls)
        SpanMiddleware.tracer = get_tracer(_SCOPE, tracer_provider=tracer_provider, schema_url=HTTP_SCHEMA)
        SpanMiddleware.rules = Rules(conventions(HTTP))
        SpanMiddleware.failed = staticmethod(failed)
        SpanMiddleware.request_hook = None if request_hook is None else staticmethod(request_hook)
        SpanMiddleware.response_hook = None if response_hook is None else staticmethod(response_hook)
        self._place(middleware_position, [self._sql_commenter_middleware] if is_sql_commentor_enabled else [])

    def _uninstrument(self, **_: object) -> None:
        now = self.get_middleware()
        if OURS in now:
            self.set_middleware([path for path in now if path != OURS])

    def place(self) -> None:
        """Put our middleware back where MIDDLEWARE has lost it."""
        if OURS not in self.get_middleware():
            self._place(self._given.get("middleware_position", 0))

    def _place(self, position: int, inside: Sequence[str] = ()) -> None:
        """Behind our first metric middleware and so many of the project's."""
        now = list(self.get_middleware())
        wanted = [path for path in now if path != OURS and path not in inside]
        first = wanted.index(BEFORE) + 1 if BEFORE in wanted else 0
        at = first + position if 0 <= position < len(wanted) - first else first
        wanted[at:at] = [OURS, *inside]
        if wanted != now:
            self.set_middleware(wanted)

    def take_over(self, tracer_provider: TracerProvider | None) -> dict[str, Any] | None:
        """What the stock one, which is in, was given; it is out now. None where it stays.

        That is where it has a tracer provider of its own, which cannot be asked for.
        """
        if goes_elsewhere(_StockMiddleware._tracer, tracer_provider):
            return None
        now = list(self.get_middleware())
        self.set_middleware([path for path in now if path != STOCK])
        StockInstrumentor().uninstrument()
        given = {
            "middleware_position": [path for path in now if path != BEFORE].index(STOCK),
            "request_hook": _StockMiddleware._otel_request_hook,
            "response_hook": _StockMiddleware._otel_response_hook,
        }
        if _StockMiddleware._excluded_urls is not stock._excluded_urls_from_env:
            given["excluded_urls"] = _StockMiddleware._excluded_urls
        return {name: value for name, value in given.items() if value is not None}


def silence_stock() -> None:
    """Have the stock middleware measure nothing.

    Its families are ours too: exported twice under one name, they would make a scrape invalid.
    """
    unused = NO_METERS.get_meter(__name__).create_up_down_counter("http.server.active_requests")
    _StockMiddleware._active_request_counter = unused
    _StockMiddleware._duration_histogram_new = None


def _excluded(urls: str | ExcludeList | None) -> ExcludeList | None:
    if not isinstance(urls, str):
        return urls
    try:
        return parse_excluded_urls(urls) if urls else None
    except re.error as error:
        raise ConfigurationError(
            f"OTEL_PYTHON_DJANGO_EXCLUDED_URLS: {urls!r} does not hold regular expressions, "
            f"separated by commas: {error}"
        ) from error
