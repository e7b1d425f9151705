"""Spans of requests, queries, tasks and HTTP calls, by the OpenTelemetry instrumentors for what makes them.

The stock instrumentors are subclassed where they would hurt: their metrics are off (ours are
exact under many processes), their request middleware serves ASGI without a change of thread,
and what they take from a request leaves out the query string, which may hold secrets.
Conventions are the stable ones of HTTP and databases unless `OTEL_SEMCONV_STABILITY_OPT_IN`
asks for both. Where a stock instrumentor is in already (`opentelemetry-instrument`, or a project's own call), ours
takes its place, its hooks and its options.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry.trace import TracerProvider

from telemetry.instrumentation import clients, drivers, task_spans
from telemetry.instrumentation._in_place import stand_in, step_aside
from telemetry.instrumentation.privacy import stack
from telemetry.instrumentation.request_instrumentor import (
    BEFORE,
    OURS,
    STOCK,
    DjangoInstrumentor,
    StockInstrumentor,
    silence_stock,
)
from telemetry.instrumentation.request_spans import SpanMiddleware

__all__ = ["BEFORE", "DRIVERS", "OURS", "STOCK", "SpanMiddleware", "install", "left", "uninstall"]

_logger = logging.getLogger("telemetry")

DRIVERS = ("sqlite3", "psycopg2", "psycopg")
"""The drivers that are traced where they and their instrumentation can be imported."""

_installed: dict[str, Any] = {}
_logged: set[str] = set()

Failed = Callable[[str, BaseException], None]


def install(
    tracer_provider: TracerProvider | None,
    *,
    disabled: frozenset[str],
    excluded_urls: str | None,
    get_middleware: Callable[[], Sequence[str]],
    set_middleware: Callable[[Sequence[str]], None],
    failed: Failed | None = None,
    request_hook: Callable[..., None] | None = None,
    response_hook: Callable[..., None] | None = None,
    sqlcommenter: Mapping[str, bool] | None = None,
    middleware_position: int = 0,
) -> None:
    """Trace requests, queries, tasks and calls; again changes nothing but a MIDDLEWARE that has lost its entry.

    Without a provider only what somebody has switched on before is traced, by ours. `disabled` holds names as in
    `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` (django, sqlite3, psycopg2, psycopg, celery, requests, urllib3, httpx,
    or * for all).
    `excluded_urls` are regular expressions, separated by commas, of URLs that get no span.
    `failed` is told of what is lost when tracing a request fails (default: one log record).
    The hooks are those of the stock instrumentor of Django, `sqlcommenter` the options of comments on PostgreSQL's
    queries (None: no comments), `middleware_position` how many of the project's middlewares are around a request's
    span.

    Raises:
        ConfigurationError: `excluded_urls` holds what is not a regular expression.
    """
    failed = failed or _log_once
    requests: Any = DjangoInstrumentor()
    requests.get_middleware, requests.set_middleware = get_middleware, set_middleware
    requests.prepare(
        failed=failed,
        tracer_provider=tracer_provider,
        excluded_urls=excluded_urls,
        request_hook=request_hook,
        response_hook=response_hook,
        middleware_position=middleware_position,
    )
    _trace_requests(requests, tracer_provider, wanted=not {"*", "django"} & disabled)
    stand_in(StockInstrumentor, requests)
    if "*" in disabled:
        return
    comments = {} if sqlcommenter is None else {"enable_commenter": True, "commenter_options": dict(sqlcommenter)}
    for name in DRIVERS:
        if name not in disabled and (tracer_provider is not None or drivers.stock_is_in(name)):
            _trace_queries(name, tracer_provider, failed, comments)
    if "celery" not in disabled and (tracer_provider is not None or task_spans.stock_is_in()):
        task_spans.install(tracer_provider, failed)
    if tracer_provider is not None:
        clients.install(tracer_provider, disabled, failed)


def uninstall(*, get_middleware: Callable[[], Sequence[str]], set_middleware: Callable[[Sequence[str]], None]) -> None:
    """Take out what `install` put in; connections that are open stay traced."""
    requests: Any = DjangoInstrumentor()
    requests.get_middleware, requests.set_middleware = get_middleware, set_middleware
    _installed["django"] = requests
    while _installed:
        _, instrumentor = _installed.popitem()
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()
        step_aside(instrumentor)
    task_spans.uninstall()
    clients.uninstall()


def _trace_requests(requests: DjangoInstrumentor, tracer_provider: TracerProvider | None, *, wanted: bool) -> None:
    if requests.is_instrumented_by_opentelemetry:
        requests.place()
        return
    if STOCK in requests.get_middleware():
        given = requests.take_over(tracer_provider) if wanted else None
        if given is None:
            silence_stock()
        else:
            requests.instrument(**given)
    elif tracer_provider is not None and wanted:
        requests.instrument()


def _trace_queries(
    name: str, tracer_provider: TracerProvider | None, failed: Failed, options: Mapping[str, Any]
) -> None:
    if name in _installed:
        return
    try:
        found = drivers.install(name, tracer_provider, failed, options)
    except ImportError:
        return
    if found is not None:
        _installed[name] = found


def left(middleware: Sequence[str]) -> list[str]:
    """The stock instrumentors that are in and stay, by their names in `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`.

    They have been given tracer providers of their own, or were switched on by hand though they are disabled.
    """
    found = ["django"] if STOCK in middleware else []
    found += [name for name in DRIVERS if drivers.stock_is_in(name)]
    return [*found, "celery"] if task_spans.stays else found


def _log_once(where: str, error: BaseException) -> None:
    if where not in _logged:
        _logged.add(where)
        _logger.error("telemetry: %s failed, a span is lost; logged once\n%s", where, stack(error))
