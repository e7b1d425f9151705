"""One span a request, for sync and async stacks: next to nothing where it is not sampled.

Names, kinds, parents, attributes and status are those of `opentelemetry-instrumentation-django`;
what is meant to differ is listed in the differential test. The stock code builds the absolute URI
at every step, resolves the URL a second time, and takes an async request to a thread; ours does not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from opentelemetry import context, propagate
from opentelemetry.instrumentation import wsgi
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.propagators import get_global_response_propagator
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
)
from opentelemetry.trace.propagation import set_span_in_context
from opentelemetry.util.http import ExcludeList

from telemetry.catalogue.http import CLIENT_GONE
from telemetry.instrumentation import privacy
from telemetry.instrumentation._current import SPAN_KEY
from telemetry.instrumentation._current import context as current_context
from telemetry.instrumentation._http_values import is_cancelled, may_stay_unread, qualified_name
from telemetry.instrumentation._request_attributes import Rules
from telemetry.instrumentation._request_start import starter
from telemetry.instrumentation._response_header import tell
from telemetry.instrumentation._stock import is_in, set_response_status
from telemetry.instrumentation._stream import keep_in, on_end
from telemetry.instrumentation.request_queries import describe
from telemetry.instrumentation.served import ATTRIBUTE
from telemetry.instrumentation.underway import current

_INTERNAL, _SERVER = SpanKind.INTERNAL, SpanKind.SERVER
_response_propagator: Callable[[], Any] = get_global_response_propagator


class _Served:
    """One request's span; `token` gives back the context that was there before it, once."""

    __slots__ = ("exception", "name", "recording", "span", "token", "underway")

    def __init__(self, span: Span, token: Any) -> None:
        self.span = span
        self.token = token
        self.recording = type(span) is not NonRecordingSpan and span.is_recording()
        self.exception: BaseException | None = None
        if self.recording:
            self.underway = current.get()
            self.name = getattr(span, "name", "HTTP")


class _Inside:
    """What a stream's content is made in: the request's span is the current one, and spans that the content
    has opened in one part are so in the next."""

    __slots__ = ("_context", "_token")

    def __init__(self, inside: context.Context) -> None:
        self._context = inside

    def enter(self) -> None:
        self._token = context.attach(self._context)

    def leave(self) -> None:
        self._context = context.get_current()
        context.detach(self._token)


class SpanMiddleware:
    """What fails in here loses a span, never a request. The class attributes are set by `spans.install`."""

    sync_capable = True
    async_capable = True

    tracer: Tracer
    rules: Rules
    excluded: ExcludeList | None = None
    failed: Callable[[str, BaseException], None]
    request_hook: Callable[[Span, HttpRequest], None] | None = None
    response_hook: Callable[[Span, HttpRequest, HttpResponseBase], None] | None = None
    response_header: str = ""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        if is_in(DjangoInstrumentor):
            raise MiddlewareNotUsed("the stock instrumentation of Django is in")
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(cast(Any, self))
        self._tracer: Tracer | None = None
        # Which headers may carry a context is the propagators' to say, once.
        self._carriers = tuple(
            f"HTTP_{field.upper().replace('-', '_')}" for field in propagate.get_global_textmap().fields
        )

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._serve(request)
        served = self._begin(request)
        try:
            response: HttpResponseBase = self.get_response(request)
        except BaseException as error:
            self._broke(served, request, error)
            raise
        if served is not None:
            self._answered(served, request, response)
        return response

    async def _serve(self, request: HttpRequest) -> HttpResponseBase:
        served = self._begin(request)
        try:
            response: HttpResponseBase = await self.get_response(request)
        except BaseException as error:
            self._broke(served, request, error)
            raise
        if served is not None:
            self._answered(served, request, response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Keep the exception for the span."""
        served: _Served | None = request.__dict__.get(ATTRIBUTE)
        if served is not None:
            served.exception = exception

    def _begin(self, request: HttpRequest) -> _Served | None:
        token: Any = None
        try:
            if self.excluded is not None and self.excluded.url_disabled(_url(request)):
                return None
            kind, parent = _INTERNAL, current_context()
            if not parent or get_current_span(parent) is INVALID_SPAN:
                kind = _SERVER
                meta = request.META
                for carrier in self._carriers:
                    if carrier in meta:
                        parent = propagate.extract(meta, getter=wsgi.wsgi_getter)
                        break
            if self.tracer is not self._tracer:
                self._tracer, self._start = self.tracer, starter(self.tracer, self.rules)
            span = self._start(parent, kind, request)
            token = context.attach(context.Context({**parent, SPAN_KEY: span}))
            served = request.__dict__[ATTRIBUTE] = _Served(span, token)
            if self.request_hook is not None:
                self._call("spans.request_hook", self.request_hook, span, request)
            return served
        except Exception as error:  # noqa: BLE001
            self.failed("spans.begin", error)
            if token is not None:
                context.detach(token)
            return None

    def _answered(self, served: _Served, request: HttpRequest, response: HttpResponseBase) -> None:
        try:
            if served.recording:
                self._describe(served, request, response)
                if self.response_header:
                    tell(response, self.response_header, served.span)
            propagator = _response_propagator()
            if propagator is not None:
                propagator.inject(response)
            if self.response_hook is not None:
                self._call("spans.response_hook", self.response_hook, served.span, request, response)
        except Exception as error:  # noqa: BLE001
            self.failed("spans.end", error)
        try:
            inside = context.get_current() if getattr(response, "streaming", False) else None
            _leave(served)
            if inside is not None:
                unread = may_stay_unread(request, response)
                on_end(response, lambda sent, error, left: self._end(served, error, left and not unread))
                keep_in(response, _Inside(set_span_in_context(served.span, inside)))
            elif served.recording:
                self._close(served)
        except Exception as error:  # noqa: BLE001
            self.failed("spans.end", error)

    def _describe(self, served: _Served, request: HttpRequest, response: HttpResponseBase) -> None:
        self._name(served, request)
        span = served.span
        status = response.status_code
        if self.rules.stable_alone:
            span.set_attribute("http.response.status_code", status)
            if status >= 500:
                span.set_attribute("error.type", str(status))
                span.set_status(Status(StatusCode.ERROR))
        else:
            set_response_status(span, status, self.rules.mode)
        if self.rules.response_headers and getattr(span, "kind", None) is SpanKind.SERVER:
            headers = [(str(name), str(value)) for name, value in response.items()]
            span.set_attributes(privacy.attributes(wsgi.collect_custom_response_headers_attributes(headers)))
        # An exception that Django answers with 4xx is no error of the server (semantic conventions, HTTP spans).
        if served.exception is not None and status >= 500:
            privacy.record(span, served.exception)

    def _call(self, where: str, hook: Callable[..., None], *given: object) -> None:
        try:
            hook(*given)
        except Exception as error:  # noqa: BLE001  # the application's, and no reason to lose a span
            self.failed(where, error)

    def _name(self, served: _Served, request: HttpRequest) -> None:
        span, match = served.span, cast(Any, request.resolver_match)
        if match is not None and match.route:
            span.set_attribute("http.route", match.route)
            captured = (*match.args, *match.captured_kwargs.values())
            if captured:
                span.set_attributes(self.rules.paths(request, captured))
            if served.name != "HTTP" and getattr(span, "name", None) == served.name:  # else a hook has given another
                span.update_name(f"{served.name} {match.route}")

    def _broke(self, served: _Served | None, request: HttpRequest, error: BaseException) -> None:
        """No response comes."""
        if served is None:
            return
        try:
            _leave(served)
            if served.recording:
                self._name(served, request)
        except Exception as problem:  # noqa: BLE001
            self.failed("spans.close", problem)
        self._end(served, error)

    def _end(self, served: _Served, error: BaseException | None, left: bool = False) -> None:
        """The last byte has been sent, or none will be; `left` says that the client has gone away."""
        if not served.recording:
            return
        span = served.span
        try:
            if left or (error is not None and is_cancelled(error)):
                span.set_attribute("error.type", CLIENT_GONE)
                span.set_status(Status(StatusCode.ERROR, "The client went away."))
            elif isinstance(error, Exception):
                privacy.record(span, error, escaped=True)
            elif error is not None:
                span.set_attribute("error.type", qualified_name(error))
        except Exception as problem:  # noqa: BLE001
            self.failed("spans.end", problem)
        self._close(served)

    def _close(self, served: _Served) -> None:
        try:
            if served.underway is not None:
                describe(served.span, served.underway)
        finally:
            served.span.end()


def _leave(served: _Served) -> None:
    token, served.token = served.token, None
    if token is not None:
        context.detach(token)


def _url(request: HttpRequest) -> str:
    """The URL without its query string; not `build_absolute_uri`, which raises where Django does not allow the host."""
    meta = request.META
    return f"{request.scheme or 'http'}://{meta.get('HTTP_HOST') or meta.get('SERVER_NAME', '')}{request.path}"
