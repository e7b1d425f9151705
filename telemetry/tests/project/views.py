"""One view of every sort."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.views import View

PARTS = [b"one,", b"two,", b"three"]


def ok(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def large(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"x" * 5000)


def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body, content_type="application/octet-stream", status=201)


def latin(request: HttpRequest) -> HttpResponse:
    return HttpResponse("café", content_type="text/html; charset=latin-1")


def etag(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("known")
    response["ETag"] = '"1"'
    return response


def redirect(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect("/ok")


def boom(request: HttpRequest) -> HttpResponse:
    raise ValueError("a view failed")


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404("nothing here")


def denied(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


class Item(View):
    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        return HttpResponse(str(number))


def template(request: HttpRequest) -> HttpResponse:
    return TemplateResponse(request, "hello.html", {"name": "world"})


def template_list(request: HttpRequest) -> HttpResponse:
    return TemplateResponse(request, ["absent.html", "hello.html"])


class _Explosive:
    def explode(self) -> None:
        raise KeyError("a template failed")


def template_broken(request: HttpRequest) -> HttpResponse:
    return TemplateResponse(request, "broken.html", {"name": _Explosive()})


def stream(request: HttpRequest) -> HttpResponseBase:
    return StreamingHttpResponse(iter(PARTS), content_type="text/csv")


def stream_broken(request: HttpRequest) -> HttpResponseBase:
    def content() -> Iterator[bytes]:
        yield PARTS[0]
        raise OSError("the stream's source failed")

    return StreamingHttpResponse(content())


def file(request: HttpRequest) -> HttpResponseBase:
    return FileResponse(io.BytesIO(b"f" * 10_000), filename="data.bin")


async def asynchronous(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse("async")


async def asynchronous_stream(request: HttpRequest) -> HttpResponseBase:
    async def content() -> AsyncIterator[bytes]:
        for part in PARTS:
            await asyncio.sleep(0)
            yield part

    return StreamingHttpResponse(content())


async def hanging(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(60)
    return HttpResponse("late")


async def hanging_stream(request: HttpRequest) -> HttpResponseBase:
    async def content() -> AsyncIterator[bytes]:
        yield PARTS[0]
        await asyncio.sleep(60)

    return StreamingHttpResponse(content())


def database(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS number (value integer UNIQUE)")
        cursor.execute("DELETE FROM number")
        cursor.execute("INSERT INTO number VALUES (%s)", [1])
        cursor.executemany("INSERT INTO number VALUES (%s)", [(2,), (3,), (4,)])
        cursor.execute("/* why */ SELECT count(*) FROM number")
        (count,) = cursor.fetchone()
        for statement in ("INSERT INTO number VALUES (1)", "SELECT nothing FROM nowhere"):
            with suppress(DatabaseError):
                cursor.execute(statement)
    return HttpResponse(str(count))
