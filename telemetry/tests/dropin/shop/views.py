# mypy: disable-error-code="type-arg"
"""One view of every sort."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.cache import caches
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import condition, require_GET
from django.views.generic import CreateView, DetailView

from telemetry.tests.dropin.shop.models import Audit, Product

PARTS = [b"one,", b"two,", b"three"]


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("welcome")


def product_list(request: HttpRequest) -> HttpResponse:
    return TemplateResponse(request, "shop/list.html", {"products": Product.objects.order_by("pk")})


class ProductDetail(DetailView):
    model = Product
    template_name = "shop/detail.html"


class ProductCreate(CreateView):
    model = Product
    fields = ["name", "price"]
    template_name = "shop/new.html"
    success_url = "/catalogue/"


class Stock(View):
    """Answers some methods; Django answers OPTIONS, HEAD and those that are not allowed."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("12 left")

    def put(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.body, status=201)

    patch = put

    def delete(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=204)

    def dispatch(self, *args: object, **kwargs: object) -> HttpResponseBase:
        response: HttpResponseBase = super().dispatch(*args, **kwargs)  # type: ignore[arg-type]
        return response

    dispatch.csrf_exempt = True  # type: ignore[attr-defined]


@csrf_exempt
def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body, content_type="application/octet-stream", status=201)


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    given = request.FILES["file"]
    return HttpResponse(f"{given.size} bytes")  # type: ignore[union-attr]


def latin(request: HttpRequest) -> HttpResponse:
    return HttpResponse("café", content_type="text/html; charset=latin-1")


def binary(request: HttpRequest) -> HttpResponse:
    return HttpResponse(bytes(range(256)), content_type="image/png")


def large(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"x" * 5000)


def etag(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("known")
    response["ETag"] = '"1"'
    return response


@condition(last_modified_func=lambda request: datetime(2020, 1, 1, tzinfo=UTC))
def fixed(request: HttpRequest) -> HttpResponse:
    return HttpResponse("never changes")


@login_required
def account(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.user))


@require_GET
def greet(request: HttpRequest) -> HttpResponse:
    """Puts a message into the session, as the next page may show."""
    messages.info(request, "hello")
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponseRedirect("/rendered")


def rendered(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/messages.html")


def template_list(request: HttpRequest) -> HttpResponse:
    return TemplateResponse(request, ["shop/absent.html", "shop/messages.html"])


class _Explosive:
    def explode(self) -> None:
        raise KeyError("a template failed")


def template_broken(request: HttpRequest) -> HttpResponse:
    return TemplateResponse(request, "shop/broken.html", {"thing": _Explosive()})


_ERRORS: dict[str, Exception] = {
    "bug": ValueError("a view failed"),
    "missing": Http404("nothing here"),
    "denied": PermissionDenied(),
    "bad": BadRequest("no"),
    "suspicious": SuspiciousOperation("hm"),
}


def error(request: HttpRequest, kind: str) -> HttpResponse:
    raise _ERRORS[kind]


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


async def asynchronous_error(request: HttpRequest) -> HttpResponse:
    raise LookupError("an async view failed")


async def asynchronous_database(request: HttpRequest) -> HttpResponse:
    await Audit.objects.acreate(text="async")
    kept = await Audit.objects.aget(text="async")
    kept.text = "seen"
    await kept.asave()
    await kept.adelete()
    return HttpResponse(str(await Product.objects.acount()))


async def asynchronous_cache(request: HttpRequest) -> HttpResponse:
    cache = caches["second"]
    await cache.aset("async", "kept")
    found = [await cache.aget("async"), await cache.aget("absent-async", "default")]
    await cache.adelete("async")
    return HttpResponse(str(found))


async def asynchronous_stream(request: HttpRequest) -> HttpResponseBase:
    async def content() -> AsyncIterator[bytes]:
        for part in PARTS:
            await asyncio.sleep(0)
            yield part

    return StreamingHttpResponse(content())


@contextmanager
def _hanging(request: HttpRequest) -> Iterator[None]:
    """Leaves a file when the view is there, and one when it is told that its client has left."""
    Path(request.headers["X-Entered"]).touch()
    try:
        yield
    except asyncio.CancelledError:
        Path(request.headers["X-Told"]).touch()
        raise


async def hanging(request: HttpRequest) -> HttpResponse:
    with _hanging(request):
        await asyncio.sleep(60)
    return HttpResponse("late")


async def hanging_stream(request: HttpRequest) -> HttpResponseBase:
    async def content() -> AsyncIterator[bytes]:
        yield PARTS[0]
        with _hanging(request):
            await asyncio.sleep(60)

    return StreamingHttpResponse(content())
