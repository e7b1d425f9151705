"""The two middlewares, under django-prometheus's names: the outer and the inner end of the stack.

Both serve sync and async stacks without a change of thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from telemetry import runtime
from telemetry.instrumentation.http import HttpInstrumentation

_Response = HttpResponseBase | Awaitable[HttpResponseBase]


class _Middleware:
    sync_capable = True
    async_capable = True

    instrumentation: HttpInstrumentation | None = None
    """Where to record; None asks the runtime."""

    def __init__(self, get_response: Callable[[HttpRequest], Any], http: HttpInstrumentation | None = None) -> None:
        http = http or self.instrumentation or runtime.get().http
        if http is None:
            raise MiddlewareNotUsed("telemetry does not record HTTP in this process")
        self.http = http
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(cast(Any, self))


class PrometheusBeforeMiddleware(_Middleware):
    """The outermost: a request begins and is done here. A second one on the way does nothing."""

    def __call__(self, request: HttpRequest) -> _Response:
        if self.is_async:
            return self._serve(request)
        exchange = self.http.begun(request)
        if exchange is None:
            return self.get_response(request)  # type: ignore[no-any-return]
        try:
            response: HttpResponseBase = self.get_response(request)
        except BaseException as exc:
            self.http.broke(request, exchange, exc)
            raise
        self.http.done(request, exchange, response)
        return response

    async def _serve(self, request: HttpRequest) -> HttpResponseBase:
        exchange = self.http.begun(request)
        if exchange is None:
            return await self.get_response(request)  # type: ignore[no-any-return]
        try:
            response: HttpResponseBase = await self.get_response(request)
        except BaseException as exc:
            self.http.broke(request, exchange, exc)
            raise
        self.http.done(request, exchange, response)
        return response


class PrometheusAfterMiddleware(_Middleware):
    """The innermost: a request reaches the view and is answered here.

    Without a Before middleware around it, it does that one's work as well. Of several on the
    way, the innermost records.
    """

    process_view: Callable[..., Any]
    process_template_response: Callable[..., Any]

    def __init__(self, get_response: Callable[[HttpRequest], Any], http: HttpInstrumentation | None = None) -> None:
        super().__init__(get_response, http)
        # Django hands a plain function to a thread in an async stack.
        self.process_view = self._view_async if self.is_async else self._view
        self.process_template_response = self._template_async if self.is_async else self._template
        self._alone = PrometheusBeforeMiddleware(self, self.http)

    def __call__(self, request: HttpRequest) -> _Response:
        if self.is_async:
            return self._serve(request)
        exchange = self.http.reached(request, self)
        if exchange is None and not self.http.known(request):
            return self._alone(request)
        response: HttpResponseBase = self.get_response(request)
        if exchange is not None and exchange.owner is self:
            self.http.answered(request, exchange, response)
        return response

    async def _serve(self, request: HttpRequest) -> HttpResponseBase:
        exchange = self.http.reached(request, self)
        if exchange is None and not self.http.known(request):
            return await cast(Awaitable[HttpResponseBase], self._alone(request))
        response: HttpResponseBase = await self.get_response(request)
        if exchange is not None and exchange.owner is self:
            self.http.answered(request, exchange, response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        self.http.exception(request, exception, self)

    def _view(self, request: HttpRequest, view: object, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.http.entered(request, self)

    async def _view_async(
        self, request: HttpRequest, view: object, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        self.http.entered(request, self)

    def _template(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        self.http.template(request, response, self)
        return response

    async def _template_async(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        self.http.template(request, response, self)
        return response
