"""Spans of requests, queries, tasks and HTTP calls, by the OpenTelemetry instrumentors for what makes them.

The stock instrumentors are subclassed where they would hurt: their metrics are off (ours are
exact under many processes), their request middleware serves ASGI without a change of thread,
and what they take from a request leaves out the query string, which may hold secrets.
Conventions are the stable ones of HTTP and databases unless `OTEL_SEMCONV_STABILITY_OPT_IN`
asks for both. Where a stock instrumentor is already in (`opentelemetry-instrument`), the spans
are left to it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.django.middleware.otel_middleware import _DjangoMiddleware
from opentelemetry.trace import TracerProvider, get_tracer
from opentelemetry.util.http import parse_excluded_urls

from telemetry.errors import ConfigurationError
from telemetry.instrumentation import clients, task_spans
from telemetry.instrumentation._request_attributes import Rules
from telemetry.instrumentation._stock import HTTP, HTTP_SCHEMA, NO_METERS, conventions, is_in
from telemetry.instrumentation.drivers import instrumentor
from telemetry.instrumentation.privacy import stack
from telemetry.instrumentation.request_spans import SpanMiddleware

__all__ = ["BEFORE", "DRIVERS", "OURS", "STOCK", "SpanMiddleware", "install", "uninstall"]

_logger = logging.getLogger("telemetry")

BEFORE = "telemetry.middleware.PrometheusBeforeMiddleware"
OURS = "telemetry.instrumentation.request_spans.SpanMiddleware"
STOCK = "opentelemetry.instrumentation.django.middleware.otel_middleware._DjangoMiddleware"

DRIVERS = ("sqlite3", "psycopg2", "psycopg")
"""The drivers that are traced where they and their instrumentation can be imported."""

_Stock: Any = _DjangoMiddleware
_installed: dict[str, Any] = {}
_logged: set[str] = set()


def install(
    tracer_provider: TracerProvider | None,
    *,
    disabled: frozenset[str],
    excluded_urls: str | None,
    get_middleware: Callable[[], Sequence[str]],
    set_middleware: Callable[[Sequence[str]], None],
    failed: Callable[[str, BaseException], None] | None = None,
) -> None:
    """Trace requests, queries, tasks and calls; again changes nothing but a MIDDLEWARE that has lost its entry.

    Without a provider nothing is installed. `disabled` holds names as in
    `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` (django, sqlite3, psycopg2, psycopg, celery, requests, urllib3, httpx,
    or * for all).
    `excluded_urls` are regular expressions, separated by commas, of URLs that get no span.
    `failed` is told of what is lost when tracing a request fails (default: one log record).

    Raises:
        ConfigurationError: `excluded_urls` holds what is not a regular expression.
    """
    if tracer_provider is None or "*" in disabled:
        return
    if "django" not in disabled:
        _trace_requests(tracer_provider, excluded_urls, failed or _log_once)
        _place(get_middleware, set_middleware)
    for name in DRIVERS:
        if name not in disabled and name not in _installed:
            _trace_queries(name, tracer_provider, failed or _log_once)
    if "celery" not in disabled:
        task_spans.install(tracer_provider, failed or _log_once)
    clients.install(tracer_provider, disabled, failed or _log_once)


def uninstall(*, get_middleware: Callable[[], Sequence[str]], set_middleware: Callable[[Sequence[str]], None]) -> None:
    """Take out what `install` put in; connections that are open stay traced."""
    middleware = list(get_middleware())
    if OURS in middleware:
        set_middleware([path for path in middleware if path != OURS])
    while _installed:
        _, instrumentor = _installed.popitem()
        instrumentor.uninstrument()
    task_spans.uninstall()
    clients.uninstall()


def _place(get_middleware: Callable[[], Sequence[str]], set_middleware: Callable[[Sequence[str]], None]) -> None:
    """Put one span middleware, the stock one if it is in, right behind our first metric middleware."""
    now = list(get_middleware())
    mine = STOCK if STOCK in now else OURS
    wanted = [path for path in now if path not in (STOCK, OURS)]
    wanted.insert(wanted.index(BEFORE) + 1 if BEFORE in wanted else 0, mine)
    if wanted != now:
        set_middleware(wanted)


def _trace_requests(
    tracer_provider: TracerProvider, excluded_urls: str | None, failed: Callable[[str, BaseException], None]
) -> None:
    try:
        excluded = parse_excluded_urls(excluded_urls or "")
    except re.error as error:
        raise ConfigurationError(
            f"OTEL_PYTHON_DJANGO_EXCLUDED_URLS: {excluded_urls!r} does not hold regular expressions, "
            f"separated by commas: {error}"
        ) from error
    mode = conventions(HTTP)
    SpanMiddleware.tracer = get_tracer(__name__, tracer_provider=tracer_provider, schema_url=HTTP_SCHEMA)
    SpanMiddleware.rules = Rules(mode)
    SpanMiddleware.excluded = excluded if excluded_urls else None
    SpanMiddleware.failed = staticmethod(failed)
    if is_in(DjangoInstrumentor):
        # The families that are ours too: exported twice under one name, they would make a scrape invalid.
        unused = NO_METERS.get_meter(__name__).create_up_down_counter("http.server.active_requests")
        _Stock._active_request_counter = unused
        _Stock._duration_histogram_new = None


def _trace_queries(name: str, tracer_provider: TracerProvider, failed: Callable[[str, BaseException], None]) -> None:
    try:
        found = instrumentor(name)
    except ImportError:
        return
    if found is not None:
        found.instrument(tracer_provider=tracer_provider, failed=failed)
        _installed[name] = found


def _log_once(where: str, error: BaseException) -> None:
    if where not in _logged:
        _logged.add(where)
        _logger.error("telemetry: %s failed, a span is lost; logged once\n%s", where, stack(error))
