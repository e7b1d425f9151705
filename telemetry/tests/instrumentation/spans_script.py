"""A Django of its own under spans: run as a script, it prints what it answered and which spans there were.

Arguments: `wsgi` or `asgi`, then what to do before the requests: `ours`, `stock`, and words for
variants, in the order given. The spans are those of the stock SDK's in-memory exporter.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import django
from asgiref import sync
from django.conf import settings
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Span

from telemetry.instrumentation import spans


def item(request: HttpRequest, number: int) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s AS found", ["private-value"])
    return HttpResponse(str(number))


def many(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS kept (value text)")
        cursor.executemany("INSERT INTO kept VALUES (%s)", [["private-1"], ["private-2"]])
    return HttpResponse("kept")


def gone(request: HttpRequest) -> HttpResponse:
    raise Http404("gone")


def crash(request: HttpRequest) -> HttpResponse:
    raise ValueError("crashed")


def wrong(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM nowhere")
    return HttpResponse("never")


def blank(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("/* nothing */")
        cursor.execute(" ")
    return HttpResponse("blank")


async def calm(request: HttpRequest) -> HttpResponse:
    with tracer_provider.get_tracer("app").start_as_current_span("work"):
        await asyncio.sleep(0)
    return HttpResponse("calm")


def health(request: HttpRequest) -> HttpResponse:
    return HttpResponse("healthy")


urlpatterns = [
    path("items/<int:number>/", item),
    path("many/", many),
    path("gone/", gone),
    path("crash/", crash),
    path("wrong/", wrong),
    path("blank/", blank),
    path("calm/", calm),
    path("health/", health),
]

REQUESTS: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "/items/7/?token=s3cret", {}),
    ("POST", "/many/", {}),
    ("GET", "/gone/", {}),
    ("GET", "/crash/", {}),
    ("GET", "/wrong/", {}),
    ("GET", "/calm/", {}),
    ("GET", "/health/", {}),
    ("GET", "/missing/", {}),
    ("BREW", "/items/8/", {}),
    ("GET", "/items/9/", {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}),
]
HOSTILE = [
    ("GET", "/items/10/", {"host": "not..allowed"}),
    ("GET", "/items/11/", {"host": "\xff\x00"}),
    ("GET", "/blank/", {}),
]

exporter = InMemorySpanExporter()
tracer_provider = TracerProvider(shutdown_on_exit=False)
tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
failures: list[str] = []
reader = InMemoryMetricReader()
meter_provider = MeterProvider([reader], shutdown_on_exit=False)


def set_middleware(value: Any) -> None:
    settings.MIDDLEWARE = list(value)


MIDDLEWARE: dict[str, Any] = {"get_middleware": lambda: settings.MIDDLEWARE, "set_middleware": set_middleware}


def install(
    provider: TracerProvider | None = tracer_provider, disabled: str = "", excluded: str | None = None, **more: Any
) -> None:
    spans.install(
        provider,
        disabled=frozenset(disabled.split()),
        excluded_urls=excluded,
        failed=lambda where, error: failures.append(f"{where}: {error!r}"),
        **MIDDLEWARE,
        **more,
    )


def stock() -> None:
    DjangoInstrumentor().instrument(tracer_provider=tracer_provider)
    SQLite3Instrumentor().instrument(tracer_provider=tracer_provider)


def elsewhere() -> None:
    """The stock ones with a tracer provider of their own, whose spans nobody sees here."""
    own = TracerProvider(shutdown_on_exit=False)
    DjangoInstrumentor().instrument(tracer_provider=own)
    SQLite3Instrumentor().instrument(tracer_provider=own)


def note_request(span: Span, request: HttpRequest) -> None:
    span.set_attribute("hooked.path", request.path)


def note_response(span: Span, request: HttpRequest, response: HttpResponse) -> None:
    span.set_attribute("hooked.status", response.status_code)


def refuse(*_: object) -> None:
    raise RuntimeError("a hook")


HOOKS: dict[str, Any] = {"request_hook": note_request, "response_hook": note_response}
REFUSING: dict[str, Any] = {"request_hook": refuse, "response_hook": refuse}


def common() -> None:
    """Two middlewares of the project's around what is there."""
    settings.MIDDLEWARE = [
        "django.middleware.common.CommonMiddleware",
        *settings.MIDDLEWARE,
        "django.middleware.csrf.CsrfViewMiddleware",
    ]


def crippled() -> None:
    install()

    class Tracer:
        def start_span(self, *args: object, **kwargs: object) -> None:
            raise RuntimeError("broken tracing")

    spans.SpanMiddleware.tracer = Tracer()  # type: ignore[assignment]


def crippled_at_the_end() -> None:
    install()

    def fail(*args: object) -> None:
        raise RuntimeError("broken tracing")

    spans.SpanMiddleware._describe = fail  # type: ignore[assignment, method-assign]


SETUPS = {
    "ours": install,
    "stock": stock,
    "stock-with-hooks": lambda: DjangoInstrumentor().instrument(
        tracer_provider=tracer_provider, excluded_urls="health", **HOOKS
    ),
    "called-with-hooks": lambda: DjangoInstrumentor().instrument(**HOOKS),
    "called-with-comments": lambda: DjangoInstrumentor().instrument(is_sql_commentor_enabled=True),
    "called-off": lambda: DjangoInstrumentor().uninstrument(),
    "elsewhere": elsewhere,
    "global": lambda: trace.set_tracer_provider(tracer_provider),
    "hooks": lambda: install(**HOOKS),
    "refusing-hooks": lambda: install(**REFUSING),
    "common": common,
    "second": lambda: install(middleware_position=1),
    "beyond": lambda: install(middleware_position=7),
    "none": lambda: install(None),
    "excluding": lambda: install(excluded="health,nothing"),
    "no-django": lambda: install(disabled="django"),
    "no-sqlite3": lambda: install(disabled="sqlite3 psycopg"),
    "no-anything": lambda: install(disabled="*"),
    "uninstall": lambda: spans.uninstall(**MIDDLEWARE),
    "hostile": lambda: REQUESTS.extend(HOSTILE),
    "crippled": crippled,
    "crippled-at-the-end": crippled_at_the_end,
}


def main(server: str, *setups: str) -> None:
    logging.disable()
    with tempfile.TemporaryDirectory() as directory:
        settings.configure(
            ALLOWED_HOSTS=["testserver"],
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(directory, "db.sqlite3"))}},
            MIDDLEWARE=[],
            ROOT_URLCONF=__name__,
            SECRET_KEY="tests",
        )
        django.setup()
        metrics.set_meter_provider(meter_provider)
        for setup in setups:
            SETUPS[setup]()
        answers = asyncio.run(drive_async()) if server == "asgi" else drive()
        connection.close()
    json.dump(
        {
            **answers,
            "spans": [show(span) for span in exporter.get_finished_spans()],
            "middleware": settings.MIDDLEWARE,
            "left": spans.left(settings.MIDDLEWARE),
            "failures": failures,
            "left_active": trace.get_current_span().get_span_context().is_valid,
            "metrics": measured(),
            "meters": sorted(scope.name for scope in meter_provider._meters),
        },
        sys.stdout,
    )


def drive() -> dict[str, Any]:
    client = Client(raise_request_exception=False)
    answers = [
        # A WSGI server tells the target as it came; the test client does not.
        client.generic(method, target, headers=headers, REQUEST_URI=target)
        for method, target, headers in REQUESTS
    ]
    return {"statuses": [answer.status_code for answer in answers]}


async def drive_async() -> dict[str, Any]:
    hops = 0
    call = sync.SyncToAsync.__call__

    async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal hops
        hops += 1
        return await call(self, *args, **kwargs)

    client = AsyncClient(raise_request_exception=False)
    await client.get("/calm/")
    sync.SyncToAsync.__call__ = counted  # type: ignore[method-assign]
    await client.get("/calm/")
    sync.SyncToAsync.__call__ = call  # type: ignore[method-assign]
    exporter.clear()
    statuses = [
        (await client.generic(method, target, headers=headers)).status_code for method, target, headers in REQUESTS
    ]
    return {"statuses": statuses, "hops": hops}


def show(span: Any) -> dict[str, Any]:
    return {
        "name": span.name,
        "kind": span.kind.name,
        "id": f"{span.context.span_id:016x}",
        "trace": f"{span.context.trace_id:032x}",
        "parent": f"{span.parent.span_id:016x}" if span.parent else None,
        "attributes": dict(span.attributes),
        "status": span.status.status_code.name,
        "events": [event.name for event in span.events],
        "schema": span.instrumentation_scope.schema_url,
    }


def measured() -> list[str]:
    data = reader.get_metrics_data()
    scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
    return sorted({metric.name for scope in scopes for metric in scope.metrics})


if __name__ == "__main__":
    main(*sys.argv[1:])
