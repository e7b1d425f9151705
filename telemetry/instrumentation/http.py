"""What a request leaves in the store: begun, answered and done, its templates, exceptions and streams.

The middlewares call one function at each point of a request's way. None of them raises.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from time import perf_counter

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from telemetry.catalogue.http import CLIENT_GONE, INVALID_METHOD, NO, UNNAMED_VIEW, YES, HttpCatalogue
from telemetry.instrumentation._current import sampled
from telemetry.instrumentation._exchange import ATTRIBUTE, Exchange
from telemetry.instrumentation._exemplars import Exemplars
from telemetry.instrumentation._http_labels import HttpLabels
from telemetry.instrumentation._http_values import (
    METHODS,
    PROTOCOLS,
    announced_length,
    is_cancelled,
    length_of,
    may_stay_unread,
    protocol_of,
    qualified_name,
    status_of,
)
from telemetry.instrumentation._stream import keep_in, on_end
from telemetry.instrumentation.guard import Guard
from telemetry.instrumentation.request_queries import RequestQueries
from telemetry.instrumentation.served import span_of
from telemetry.store import Store


class HttpInstrumentation:
    """Records requests.

    `exclude` tells which leave no trace at all; `excluded_views` whose requests leave none, by the
    label `view`; `short_circuits` whether a response that some middleware gave before our inner one
    counts among the views' responses; `limit` how many values a process records of a label that the
    application makes; `queries` where to tell what requests ask of databases.

    Which view a request is for is known when Django has resolved its URL, and to nobody before:
    middlewares choose the URLconf and the language. So where views are excluded, and there only, a
    request begins to count when it reaches its view, or when it ends without one.
    """

    def __init__(
        self,
        store: Store,
        catalogue: HttpCatalogue,
        guard: Guard,
        *,
        exclude: Callable[[HttpRequest], bool] | None = None,
        excluded_views: Collection[str] = (),
        short_circuits: bool = True,
        limit: int = 1000,
        queries: RequestQueries | None = None,
    ) -> None:
        self._store = store
        self._guard = guard
        self._exclude = exclude
        self._excluded_views = frozenset(excluded_views)
        self._short_circuits = short_circuits
        self._queries = queries
        self._begun = store.table(catalogue.begun)
        self._answered = store.table(catalogue.answered)
        self._streamed = store.table(catalogue.streamed)
        self._closed = store.table(catalogue.closed)
        self._abandoned = store.table(catalogue.abandoned)
        self._done = store.table(catalogue.done)
        self._view_exemplars = Exemplars(store.table(catalogue.view_sampled))
        self._done_exemplars = Exemplars(store.table(catalogue.done_sampled))
        self._templates = store.table(catalogue.templates)
        self._exceptions = store.table(catalogue.exceptions)
        self._response_body = store.table(catalogue.response_body).histogram(())
        self._labels = HttpLabels(limit, guard)

    def known(self, request: HttpRequest) -> bool:
        """Whether the request has begun, or is excluded."""
        return ATTRIBUTE in request.__dict__

    def begun(self, request: HttpRequest) -> Exchange | None:
        """A request has arrived. None where it is excluded or has begun already: then record no end."""
        arrived = perf_counter()
        attributes = request.__dict__
        if ATTRIBUTE in attributes:
            return None
        exchange = None
        try:
            if self._exclude is not None and self._exclude(request):
                attributes[ATTRIBUTE] = None
                return None
            try:
                scheme = "https" if request.scheme == "https" else "http"
            except Exception as exc:  # noqa: BLE001  # SECURE_PROXY_SSL_HEADER may be malformed
                self._guard.failed("http.scheme", exc)
                scheme = "http"
            meta = request.META
            method = METHODS.get(request.method or "", INVALID_METHOD)
            protocol = PROTOCOLS.get(meta.get("SERVER_PROTOCOL", "")) or protocol_of(request)
            exchange = attributes[ATTRIBUTE] = Exchange(self._store, arrived, method, scheme, protocol)
            if self._queries is not None:
                exchange.enter()
            ajax = YES if meta.get("HTTP_X_REQUESTED_WITH") == "XMLHttpRequest" else NO
            length = meta.get("CONTENT_LENGTH")
            size = length_of(length) if length else 0
            if self._excluded_views:
                exchange.pending = (ajax, size)
            else:
                self._begun.observe((method, scheme, ajax), size)
        except Exception as exc:  # noqa: BLE001
            attributes.setdefault(ATTRIBUTE, exchange)
            self._guard.failed("http.begun", exc)
        return exchange

    def reached(self, request: HttpRequest, owner: object) -> Exchange | None:
        """A request has come through to the inner middleware `owner`, whose clock starts."""
        exchange: Exchange | None = request.__dict__.get(ATTRIBUTE)
        if exchange is not None:
            exchange.owner = owner
            self._find_span(request, exchange)
            exchange.inner = perf_counter()
        return exchange

    def entered(self, request: HttpRequest, owner: object) -> None:
        """A view is about to be called."""
        exchange: Exchange | None = request.__dict__.get(ATTRIBUTE)
        if exchange is None or exchange.owner is not owner:
            return
        exchange.entered = True
        if exchange.pending is not None:
            try:
                self._counts(request, exchange)
            except Exception as exc:  # noqa: BLE001
                self._guard.failed("http.entered", exc)

    def template(self, request: HttpRequest, response: HttpResponseBase, owner: object) -> None:
        """A view has returned a response that is yet to be rendered."""
        exchange: Exchange | None = request.__dict__.get(ATTRIBUTE)
        if exchange is None or exchange.owner is not owner:
            return
        try:
            if exchange.pending is not None and not self._counts(request, exchange):
                return
            if hasattr(response, "template_name"):
                self._templates.add((self._labels.template(str(response.template_name)),))
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("http.template", exc)

    def exception(self, request: HttpRequest, exception: BaseException, owner: object) -> None:
        """A view, or the rendering of its response, has raised."""
        exchange: Exchange | None = request.__dict__.get(ATTRIBUTE)
        if exchange is not None and exchange.owner is owner:
            self._raised(request, exchange, exception)

    def handled(self, request: HttpRequest, exception: BaseException) -> None:
        """A view has raised and a framework around it has answered: no `exception()` comes."""
        exchange: Exchange | None = request.__dict__.get(ATTRIBUTE)
        if exchange is not None:
            self._raised(request, exchange, exception)

    def _raised(self, request: HttpRequest, exchange: Exchange, exception: BaseException) -> None:
        try:
            if exchange.pending is not None and not self._counts(request, exchange):
                return
            exchange.error = qualified_name(exception)
            self._exceptions.add((self._labels.error(type(exception).__name__), self._labels.view(request)))
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("http.exception", exc)

    def answered(self, request: HttpRequest, exchange: Exchange, response: HttpResponseBase) -> None:
        """A response has left the view, or whatever answered in its place."""
        try:
            elapsed = perf_counter() - exchange.inner
            if exchange.pending is not None and not self._counts(request, exchange):
                return
            exchange.answered = True
            view = self._labels.view(request)
            method = METHODS.get(request.method or "", INVALID_METHOD)
            key = (
                view,
                method,
                exchange.scheme,
                status_of(response),
                self._labels.charset(response),
                YES if exchange.entered else NO,
            )
            exchange.view = view
            if not response.streaming:
                self._answered.observe(key, elapsed)
                if exchange.span is not None:
                    by_view = (view, method)
                    self._view_exemplars.keep(by_view, by_view, elapsed, exchange.span)
                content = getattr(response, "content", None)
                if content is not None:
                    self._response_body.observe(len(content))
                return
            self._streamed.add(key)
            on_end(response, partial(self._stream_closed, exchange, view, method, announced_length(response)))
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("http.answered", exc)

    def done(self, request: HttpRequest, exchange: Exchange, response: HttpResponseBase) -> None:
        """A response is about to be handed to the server; a stream's end is recorded when it comes."""
        try:
            if self._queries is not None:
                exchange.leave()
            if exchange.pending is not None and not self._counts(request, exchange):
                return
            if not exchange.traced or not exchange.view:
                self._complete(request, exchange)
            if self._short_circuits and not exchange.answered:
                self.answered(request, exchange, response)
            route, status = self._labels.route(request), status_of(response)
            if not getattr(response, "streaming", False):
                self._finish(exchange, route, status)
                return
            on_end(response, partial(self._stream_done, exchange, route, status, may_stay_unread(request, response)))
            if self._queries is not None:
                keep_in(response, exchange)
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("http.done", exc)

    def broke(self, request: HttpRequest, exchange: Exchange, exception: BaseException) -> None:
        """No response comes: an exception has passed every handler, or the client has gone away."""
        try:
            if self._queries is not None:
                exchange.leave()
            if exchange.pending is not None and not self._counts(request, exchange):
                return
            self._complete(request, exchange)
            if exchange.entered and not exchange.answered:
                method = METHODS.get(request.method or "", INVALID_METHOD)
                self._abandoned.add((self._labels.view(request), method, exchange.scheme))
            self._finish(exchange, self._labels.route(request), "", self._outcome(exception))
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("http.broke", exc)

    def _counts(self, request: HttpRequest, exchange: Exchange) -> bool:
        """Whether a request that has found its view, or ended, counts after all; then its beginning does."""
        pending = exchange.pending
        if pending is None:
            return True
        match = request.resolver_match
        view = (match.view_name if match is not None else "") or UNNAMED_VIEW
        if view in self._excluded_views:
            return False
        exchange.pending = None
        ajax, size = pending
        self._begun.observe((exchange.method, exchange.scheme, ajax), size)
        return True

    def _stream_closed(
        self, exchange: Exchange, view: str, method: str, announced: int | None,
        sent: int, exception: BaseException | None, given_up: bool,
    ) -> None:  # fmt: skip
        try:
            key, elapsed = (view, method), perf_counter() - exchange.inner
            self._closed.observe(key, elapsed)
            if exchange.span is not None:
                self._view_exemplars.keep(key, key, elapsed, exchange.span)
            # A server that sends a file by itself does not iterate; the header says how long it was.
            self._response_body.observe(announced if announced and not sent else sent)
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("http.stream", exc)

    def _stream_done(
        self, exchange: Exchange, route: str, status: str, unread: bool,
        sent: int, exception: BaseException | None, given_up: bool,
    ) -> None:  # fmt: skip
        try:
            if exception is not None:
                error = self._outcome(exception)
            else:
                error = CLIENT_GONE if given_up and not unread else ""
            self._finish(exchange, route, status, error)
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("http.stream", exc)

    def _finish(self, exchange: Exchange, route: str, status: str, error: str = "") -> None:
        if not error and status >= "500":
            error = self._labels.error(exchange.error) if exchange.error else status
        key = (exchange.method, exchange.scheme, route, status, error, exchange.protocol)
        elapsed = perf_counter() - exchange.arrived
        self._done.observe(key, elapsed)
        if exchange.span is not None:
            self._done_exemplars.keep(key, key, elapsed, exchange.span)
        if self._queries is not None:
            self._queries.ended(exchange, exchange.view, exchange.method)

    def _find_span(self, request: HttpRequest, exchange: Exchange) -> None:
        try:
            span = span_of(request)
            if span is not None:
                exchange.belongs_to(span)
            else:
                exchange.span = sampled()
                exchange.traced = True
        except Exception as exc:  # noqa: BLE001  # any instrumentation may have put its own kind of span there
            self._guard.failed("http.span", exc)

    def _outcome(self, exception: BaseException) -> str:
        return CLIENT_GONE if is_cancelled(exception) else self._labels.error(qualified_name(exception))

    def _complete(self, request: HttpRequest, exchange: Exchange) -> None:
        """Find out about a request that may not have reached our inner middleware."""
        if not exchange.traced:
            self._find_span(request, exchange)
        if self._queries is not None and not exchange.view:
            try:
                exchange.view = self._labels.view(request)
            except Exception as exc:  # noqa: BLE001  # the application may put anything there
                self._guard.failed("http.view", exc)
                exchange.view = UNNAMED_VIEW
