"""Middlewares that answer in the view's place, fail, or change the request; sync and async in one class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse


class _Middleware:
    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self._serve(request)
        return self.answer(request) or self.get_response(request)

    async def _serve(self, request: HttpRequest) -> Any:
        return self.answer(request) or await self.get_response(request)

    def answer(self, request: HttpRequest) -> HttpResponse | None:
        raise NotImplementedError


class Gate(_Middleware):
    """Preflights are answered at once, `/closed/…` is refused, `/faulty/…` raises on the way."""

    def answer(self, request: HttpRequest) -> HttpResponse | None:
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return HttpResponse(status=204)
        if request.path.startswith("/closed/"):
            return HttpResponse("closed", status=503)
        if request.path.startswith("/faulty/"):
            raise RuntimeError("a middleware failed")
        return None


class MethodOverride(_Middleware):
    """A header may change a request's method, as REST frameworks allow."""

    def answer(self, request: HttpRequest) -> HttpResponse | None:
        request.method = request.headers.get("X-HTTP-Method-Override", request.method)
        return None
