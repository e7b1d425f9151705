"""Spans of requests and queries, by the OpenTelemetry instrumentors for Django and its drivers.

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
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from opentelemetry import context
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.django.middleware.otel_middleware import _DjangoMiddleware
from opentelemetry.trace import TracerProvider, get_tracer
from opentelemetry.util.http import parse_excluded_urls

from telemetry.errors import ConfigurationError
from telemetry.instrumentation._stock import HTTP, HTTP_SCHEMA, NO_METERS, conventions, is_in

_logger = logging.getLogger("telemetry")

BEFORE = "telemetry.middleware.PrometheusBeforeMiddleware"
OURS = "telemetry.instrumentation.spans.SpanMiddleware"
STOCK = "opentelemetry.instrumentation.django.middleware.otel_middleware._DjangoMiddleware"

DRIVERS = ("sqlite3", "psycopg2", "psycopg")
"""The drivers that are traced where they and their instrumentation can be imported."""

_FACE = "_telemetry_span_face"
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
    """Trace requests and queries; again changes nothing but a MIDDLEWARE that has lost its entry.

    Without a provider nothing is installed. `disabled` holds names as in
    `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` (django, sqlite3, psycopg2, psycopg, or * for all).
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
            _trace_queries(name, tracer_provider)


def uninstall(*, get_middleware: Callable[[], Sequence[str]], set_middleware: Callable[[Sequence[str]], None]) -> None:
    """Take out what `install` put in; connections that are open stay traced."""
    middleware = list(get_middleware())
    if OURS in middleware:
        set_middleware([path for path in middleware if path != OURS])
    while _installed:
        _, instrumentor = _installed.popitem()
        instrumentor.uninstrument()


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
    active = NO_METERS.get_meter(__name__).create_up_down_counter("http.server.active_requests")
    SpanMiddleware._sem_conv_opt_in_mode = conventions(HTTP)
    SpanMiddleware._tracer = get_tracer(__name__, tracer_provider=tracer_provider, schema_url=HTTP_SCHEMA)
    SpanMiddleware._excluded_urls = excluded
    SpanMiddleware._active_request_counter = active
    SpanMiddleware._duration_histogram_old = SpanMiddleware._duration_histogram_new = None
    SpanMiddleware.failed = staticmethod(failed)
    if is_in(DjangoInstrumentor):
        # The families that are ours too: exported twice under one name, they would make a scrape invalid.
        _Stock._active_request_counter = active
        _Stock._duration_histogram_new = None


def _trace_queries(name: str, tracer_provider: TracerProvider) -> None:
    try:
        from telemetry.instrumentation._drivers import instrumentor

        made = instrumentor(name, tracer_provider)
    except ImportError:
        return
    if made is not None:
        made.instrument()
        _installed[name] = made


class SpanMiddleware(_Stock):  # type: ignore[misc]
    """The stock middleware for sync and async stacks; what fails in it loses a span, never a request."""

    sync_capable = True
    async_capable = True
    failed: Callable[[str, BaseException], None]

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        if is_in(DjangoInstrumentor):
            raise MiddlewareNotUsed("the stock instrumentation of Django is in")
        super().__init__(get_response)
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
            # A plain method would cost an async request a change of thread.
            self.process_view = self._process_view_async  # type: ignore[method-assign, assignment]

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._serve(request)
        face = self._begin(request)
        try:
            response: HttpResponseBase = self.get_response(request)
        except BaseException as error:
            self._close(face, error)
            raise
        self._end(face, response)
        return response

    async def _serve(self, request: HttpRequest) -> HttpResponseBase:
        face = self._begin(request)
        try:
            response: HttpResponseBase = await self.get_response(request)
        except BaseException as error:
            self._close(face, error)
            raise
        self._end(face, response)
        return response

    def process_view(self, request: HttpRequest, *args: Any) -> None:
        """Give the span the route, and the name that goes with it."""
        face = getattr(request, _FACE, None)
        if face is not None:
            try:
                super().process_view(face, *args)
                face.META[self._environ_span_key].update_name(self._get_span_name(face))
            except Exception as error:  # noqa: BLE001
                self.failed("spans.view", error)

    async def _process_view_async(self, request: HttpRequest, *args: Any) -> None:
        SpanMiddleware.process_view(self, request, *args)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Keep the exception for the span."""
        face = getattr(request, _FACE, None)
        if face is not None:
            face.META[self._environ_exception_key] = exception

    def _begin(self, request: HttpRequest) -> _Face | None:
        before = context.get_current()
        try:
            face = _Face(request)
            self.process_request(face)
            face.activation = face.META.get(self._environ_activation_key)
            if face.activation is None:
                return None
            setattr(request, _FACE, face)
            return face
        except Exception as error:  # noqa: BLE001
            context.attach(before)
            self.failed("spans.begin", error)
            return None

    def _end(self, face: _Face | None, response: HttpResponseBase) -> None:
        if face is None:
            return
        if response.status_code < 500:
            # An exception that Django answers with 4xx is no error of the server (semantic conventions, HTTP spans).
            face.META.pop(self._environ_exception_key, None)
        try:
            self.process_response(face, response)
        except Exception as error:  # noqa: BLE001
            self.failed("spans.end", error)
            self._close(face, None)

    def _close(self, face: _Face | None, error: BaseException | None) -> None:
        if face is None:
            return
        try:
            face.activation.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)
            token = face.META.pop(self._environ_token, None)
            if token is not None:
                context.detach(token)
        except Exception as problem:  # noqa: BLE001
            self.failed("spans.close", problem)


class _Face:
    """A request as the stock code may see it: a WSGI one, with no query string and no refusal of a host name.

    The stock code leaves out ASGI requests where its ASGI package is missing; Django's `META`
    holds all that it needs. What it writes into `META` stays in a copy.
    """

    activation: Any = None

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        scheme = request.scheme or "http"
        self.META = request.META | {
            "wsgi.url_scheme": scheme,
            "QUERY_STRING": "",
            "RAW_URI": request.path,
            "REQUEST_URI": request.path,
        }
        scope = getattr(request, "scope", None)
        if scope is not None:
            self.META["SERVER_PROTOCOL"] = f"HTTP/{scope.get('http_version', '1.1')}"
        # Not `build_absolute_uri`: it raises where Django does not allow the host.
        self._uri = f"{scheme}://{self.META.get('HTTP_HOST') or self.META.get('SERVER_NAME', '')}{request.path}"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)

    def build_absolute_uri(self, location: str | None = None) -> str:
        """The URL without its query string."""
        return self._uri


def _log_once(where: str, error: BaseException) -> None:
    if where not in _logged:
        _logged.add(where)
        _logger.error("telemetry: %s failed, a span is lost; logged once", where, exc_info=error)
