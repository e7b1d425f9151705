"""The trivial views that are asked, and the contender's page where a whole server is measured."""

import os

from django.http import HttpRequest, HttpResponse
from django.urls import path

from telemetry.benchmarks import contenders


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


async def asynchronous(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def metrics(request: HttpRequest) -> HttpResponse:
    return HttpResponse(contenders.page(os.environ["BENCHMARK_CONTENDER"])(), content_type="text/plain")


urlpatterns = [
    path("plain", plain, name="plain"),
    path("async", asynchronous, name="async"),
    path("metrics", metrics, name="metrics"),
]
