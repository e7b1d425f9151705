"""What a request leaves in the store: begun, answered and done, its templates, exceptions and streams.

The middlewares call one function at each point of a request's way. None of them raises.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from telemetry.catalogue.http import INVALID_METHOD, NO, UNNAMED_VIEW, YES, HttpCatalogue
from telemetry.instrumentation._stream import on_end
from telemetry.instrumentation.guard import Bounded, Guard
from telemetry.store import Store

_METHODS = {
    name: name for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH")
}  # fmt: skip
_STATUSES = {number: str(number) for number in range(100, 600)}
_PROTOCOLS = {
    "HTTP/1.0": "1.0", "HTTP/1.1": "1.1", "HTTP/2": "2", "HTTP/2.0": "2", "HTTP/3": "3",
    "1.0": "1.0", "1.1": "1.1", "2": "2", "2.0": "2", "3": "3",
}  # fmt: skip
_LARGEST_BODY = 2**40
"""Bytes; a request that announces more is counted as this much, so that no client can ruin the sum."""
_ATTRIBUTE = "_telemetry_exchange"


class Exchange:
    """One request on its way. `owner` is the innermost of our After middlewares that it has reached."""

    __slots__ = ("answered", "arrived", "entered", "error", "inner", "method", "owner", "protocol", "scheme")

    def __init__(self, arrived: float, method: str, scheme: str, protocol: str) -> None:
        self.arrived = arrived
        self.method = method
        self.scheme = scheme
        self.protocol = protocol
        self.inner = arrived
        self.owner: object = None
        self.entered = False
        self.answered = False
        self.error = ""


class HttpInstrumentation:
    """Records requests. `exclude` tells which leave no trace at all; `short_circuits` whether a
    response that some middleware gave before our inner one counts among the views' responses;
    `limit` how many values a process records of a label that the application makes."""

    def __init__(
        self,
        store: Store,
        catalogue: HttpCatalogue,
        guard: Guard,
        *,
        exclude: Callable[[HttpRequest], bool] | None = None,
        short_circuits: bool = True,
        limit: int = 1000,
    ) -> None:
        self._guard = guard
        self._exclude = exclude
        self._short_circuits = short_circuits
        self._begun = store.table(catalogue.begun)
        self._answered = store.table(catalogue.answered)
        self._streamed = store.table(catalogue.streamed)
        self._closed = store.table(catalogue.closed)
        self._abandoned = store.table(catalogue.abandoned)
        self._done = store.table(catalogue.done)
        self._templates = store.table(catalogue.templates)
        self._exceptions = store.table(catalogue.exceptions)
        self._request_body = store.table(catalogue.request_body)
        self._response_body = store.table(catalogue.response_body)
        self._view = Bounded("http.view", limit, guard)
        self._route = Bounded("http.route", limit, guard)
        self._charset = Bounded("http.charset", limit, guard)
        self._template = Bounded("http.template", limit, guard)
        self._error = Bounded("http.error", limit, guard)

    def known(self, request: HttpRequest) -> bool:
        """Whether the request has begun, or is excluded."""
        return _ATTRIBUTE in request.__dict__

    def begun(self, request: HttpRequest) -> Exchange | None:
        """A request has arrived. None where it is excluded or has begun already: then record no end."""
        arrived = perf_counter()
        attributes = request.__dict__
        if _ATTRIBUTE in attributes:
            return None
        exchange = None
        try:
            if self._exclude is not None and self._exclude(request):
                attributes[_ATTRIBUTE] = None
                return None
            meta = request.META
            method = _METHODS.get(request.method or "", INVALID_METHOD)
            exchange = Exchange(arrived, method, self._scheme(request), _protocol(request))
            attributes[_ATTRIBUTE] = exchange
            ajax = YES if meta.get("HTTP_X_REQUESTED_WITH") == "XMLHttpRequest" else NO
            self._begun.add((method, exchange.scheme, ajax))
            self._request_body.observe((), _length(meta.get("CONTENT_LENGTH")))
        except Exception as exc:  # noqa: BLE001
            attributes.setdefault(_ATTRIBUTE, exchange)
            self._guard.failed("http.begun", exc)
        return exchange

    def reached(self, request: HttpRequest, owner: object) -> Exchange | None:
        """A request has come through to the inner middleware `owner`, whose clock starts."""
        exchange: Exchange | None = request.__dict__.get(_ATTRIBUTE)
        if exchange is not None:
            exchange.owner = owner
            exchange.inner = perf_counter()
        return exchange

    def entered(self, request: HttpRequest, owner: object) -> None:
        """A view is about to be called."""
        exchange: Exchange | None = request.__dict__.get(_ATTRIBUTE)
        if exchange is not None and exchange.owner is owner:
            exchange.entered = True

    def template(self, request: HttpRequest, response: HttpResponseBase, owner: object) -> None:
        """A view has returned a response that is yet to be rendered."""
        exchange: Exchange | None = request.__dict__.get(_ATTRIBUTE)
        if exchange is None or exchange.owner is not owner:
            return
        try:
            if hasattr(response, "template_name"):
                self._templates.add((self._template(str(response.template_name)),))
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("http.template", exc)

    def exception(self, request: HttpRequest, exception: BaseException, owner: object) -> None:
        """A view, or the rendering of its response, has raised."""
        exchange: Exchange | None = request.__dict__.get(_ATTRIBUTE)
        if exchange is None or exchange.owner is not owner:
            return
        try:
            exchange.error = _qualified_name(exception)
            self._exceptions.add((self._error(type(exception).__name__), self._view_name(request)))
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("http.exception", exc)

    def answered(self, request: HttpRequest, exchange: Exchange, response: HttpResponseBase) -> None:
        """A response has left the view, or whatever answered in its place."""
        try:
            elapsed = perf_counter() - exchange.inner
            exchange.answered = True
            view = self._view_name(request)
            method = _METHODS.get(request.method or "", INVALID_METHOD)
            key = (
                view,
                method,
                exchange.scheme,
                _status(response),
                self._charset(str(response.charset)),
                YES if exchange.entered else NO,
            )
            if not response.streaming:
                self._answered.observe(key, elapsed)
                content = getattr(response, "content", None)
                if content is not None:
                    self._response_body.observe((), len(content))
                return
            self._streamed.add(key)
            on_end(response, partial(self._stream_closed, exchange.inner, view, method, _announced(response)))
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("http.answered", exc)

    def done(self, request: HttpRequest, exchange: Exchange, response: HttpResponseBase) -> None:
        """A response is about to be handed to the server; a stream's end is recorded when it comes."""
        if self._short_circuits and not exchange.answered:
            self.answered(request, exchange, response)
        try:
            route, status = self._route_of(request), _status(response)
            if response.streaming:
                on_end(response, partial(self._stream_done, exchange, route, status))
            else:
                self._finish(exchange, route, status, None)
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("http.done", exc)

    def broke(self, request: HttpRequest, exchange: Exchange, exception: BaseException) -> None:
        """No response comes: an exception has passed every handler, or the client has gone away."""
        try:
            if exchange.entered and not exchange.answered:
                method = _METHODS.get(request.method or "", INVALID_METHOD)
                self._abandoned.add((self._view_name(request), method, exchange.scheme))
            self._finish(exchange, self._route_of(request), "", exception)
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("http.broke", exc)

    def _stream_closed(
        self, started: float, view: str, method: str, announced: int | None, sent: int, exception: BaseException | None
    ) -> None:
        try:
            self._closed.observe((view, method), perf_counter() - started)
            # A server that sends a file by itself does not iterate; the header says how long it was.
            self._response_body.observe((), announced if announced and not sent else sent)
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("http.stream", exc)

    def _stream_done(
        self, exchange: Exchange, route: str, status: str, sent: int, exception: BaseException | None
    ) -> None:
        try:
            self._finish(exchange, route, status, exception)
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("http.stream", exc)

    def _finish(self, exchange: Exchange, route: str, status: str, exception: BaseException | None) -> None:
        if exception is not None:
            error = self._error(_qualified_name(exception))
        elif status >= "500":
            error = self._error(exchange.error) if exchange.error else status
        else:
            error = ""
        key = (exchange.method, exchange.scheme, route, status, error, exchange.protocol)
        self._done.observe(key, perf_counter() - exchange.arrived)

    def _scheme(self, request: HttpRequest) -> str:
        try:
            return "https" if request.scheme == "https" else "http"
        except Exception as exc:  # noqa: BLE001  # SECURE_PROXY_SSL_HEADER may be malformed
            self._guard.failed("http.scheme", exc)
            return "http"

    def _view_name(self, request: HttpRequest) -> str:
        match = request.resolver_match
        return self._view(match.view_name or UNNAMED_VIEW) if match is not None else UNNAMED_VIEW

    def _route_of(self, request: HttpRequest) -> str:
        match = request.resolver_match
        return self._route(match.route or "") if match is not None else ""


def _status(response: HttpResponseBase) -> str:
    return _STATUSES.get(response.status_code, "<invalid status>")


def _protocol(request: HttpRequest) -> str:
    given = request.META.get("SERVER_PROTOCOL")
    if given is None:
        given = getattr(request, "scope", {}).get("http_version")
    return _PROTOCOLS.get(given or "", "")


def _length(given: object) -> int:
    """The bytes of a Content-Length header; 0 where it is absent or no number (RFC 9110, section 8.6)."""
    if not given:
        return 0
    text = str(given)
    if not (text.isascii() and text.isdigit()):
        return 0
    return min(int(text), _LARGEST_BODY) if len(text) < 16 else _LARGEST_BODY


def _announced(response: HttpResponseBase) -> int | None:
    if getattr(response, "file_to_stream", None) is None:
        return None
    return _length(response.headers.get("Content-Length"))


def _qualified_name(exception: BaseException) -> str:
    """The exception's type as semantic conventions want it in `error.type`."""
    kind = type(exception)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
