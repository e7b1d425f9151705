"""Middlewares that answer in the view's place, fail, or change the request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def short_circuit(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """`/short/…` never reaches a view, `/fail/…` raises on the way, `/exit/…` leaves no response at all."""

    def answer(request: HttpRequest) -> HttpResponse | None:
        if request.path.startswith("/short/"):
            return HttpResponse("short", status=204 if request.method == "OPTIONS" else 403)
        if request.path.startswith("/fail/"):
            raise RuntimeError("a middleware failed")
        if request.path.startswith("/exit/"):
            raise SystemExit(3)
        return None

    if iscoroutinefunction(get_response):

        async def serve(request: HttpRequest) -> Any:
            return answer(request) or await get_response(request)

        return serve

    return lambda request: answer(request) or get_response(request)


@sync_and_async_middleware
def method_override(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """A request's method may be changed by a header, as REST frameworks do."""

    def override(request: HttpRequest) -> HttpRequest:
        request.method = request.META.get("HTTP_X_METHOD", request.method)
        return request

    if iscoroutinefunction(get_response):

        async def serve(request: HttpRequest) -> Awaitable[Any]:
            return await get_response(override(request))  # type: ignore[no-any-return]

        return serve

    return lambda request: get_response(override(request))
