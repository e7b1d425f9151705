"""Views that a client can leave at every point of a response."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import include, path


async def before_the_first_part(request: HttpRequest) -> HttpResponseBase:
    async def content() -> AsyncIterator[bytes]:
        await asyncio.sleep(60)
        yield b"late"

    return StreamingHttpResponse(content())


async def endless(request: HttpRequest) -> HttpResponseBase:
    """More than any buffer holds: a client that does not read makes it wait."""

    async def content() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield b"x" * 65_536

    return StreamingHttpResponse(content())


def sync_hanging(request: HttpRequest) -> HttpResponse:
    time.sleep(0.5)
    return HttpResponse("late")


def sync_iterator(request: HttpRequest) -> HttpResponseBase:
    def content() -> Iterator[bytes]:
        for _ in range(5):
            time.sleep(0.1)
            yield b"part"

    return StreamingHttpResponse(content())


def sync_only(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """A middleware as they were before Django knew async ones."""
    return lambda request: get_response(request)


urlpatterns = [
    path("before-the-first-part", before_the_first_part, name="before-the-first-part"),
    path("endless", endless, name="endless"),
    path("sync-hanging", sync_hanging, name="sync-hanging"),
    path("sync-iterator", sync_iterator, name="sync-iterator"),
    path("", include("telemetry.tests.project.urls")),
]
