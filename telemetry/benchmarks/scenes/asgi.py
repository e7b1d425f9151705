"""An async view under the ASGI handler, with a stack that is async throughout, and behind sync middleware."""

from __future__ import annotations

import asyncio
import gc
import statistics
from functools import partial
from time import process_time
from typing import Any

from telemetry.benchmarks import contenders
from telemetry.benchmarks.scene import Budget, Outcome, Scene

_CONTENDERS = tuple(each for each in contenders.ALL if each != contenders.THEIRS_MULTI)
_TIMES, _BLOCKS = 40, 7
_SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/async",
    "raw_path": b"/async",
    "root_path": "",
    "query_string": b"",
    "headers": [(b"host", b"testserver")],
    "client": ("127.0.0.1", 50_000),
    "server": ("127.0.0.1", 8000),
}


def _run(contender: str, *, middleware: tuple[str, ...]) -> Outcome:
    spans = contenders.set_up(contender, middleware=middleware)
    from django import db
    from django.core.asgi import get_asgi_application
    from django.core.signals import request_finished, request_started

    request_started.disconnect(db.close_old_connections)
    request_finished.disconnect(db.close_old_connections)
    application: Any = get_asgi_application()
    statuses: list[int] = []

    async def serve() -> None:
        arrived, gone = False, asyncio.Event()

        async def receive() -> dict[str, Any]:
            nonlocal arrived
            if arrived:  # the server's word that the client has gone, which does not come before the answer
                await gone.wait()
                return {"type": "http.disconnect"}
            arrived = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await application(dict(_SCOPE), receive, send)

    async def work() -> float:
        for _ in range(_TIMES):
            await serve()
        prices = []
        gc.collect()
        for _ in range(_BLOCKS):
            start = process_time()
            for _ in range(_TIMES):
                await serve()
            prices.append((process_time() - start) / _TIMES)
        return statistics.median(prices) * 1e6

    price = asyncio.run(work())
    if contender in (contenders.BARE, contenders.OURS_DISABLED):
        return Outcome(price, {"requests": statuses.count(200)})
    requests = contenders.counted(
        contender,
        {
            "ours": "django_http_responses_total_by_status_view_method_total",
            "theirs": "django_http_responses_total_by_status_view_method_total",
            "stock": "http_server_duration_milliseconds_count",
        },
    )
    if spans is not None and contender.endswith("100 %"):
        assert spans.count() == requests, "a span a request"
    return Outcome(price, {"requests": requests})


SCENES = (
    Scene(
        name="asgi",
        title="An async view under the ASGI handler, nothing sync on the way",
        unit="µs",
        contenders=_CONTENDERS,
        run=partial(_run, middleware=()),
        budgets=(
            Budget(contenders.OURS, contenders.THEIRS, 0.08, 0.04),
            Budget(contenders.OURS, contenders.STOCK[0.0], 0.10, 0.05),
        ),
        free=(contenders.OURS_DISABLED,),
        rounds=30,
        seconds=0.8,
    ),
    Scene(
        name="asgi-sync-middleware",
        title="An async view under the ASGI handler, behind `startproject`'s middleware",
        unit="µs",
        contenders=_CONTENDERS,
        run=partial(_run, middleware=contenders.DEFAULT_MIDDLEWARE),
        budgets=(
            Budget(contenders.OURS, contenders.THEIRS),
            Budget(contenders.OURS, contenders.STOCK[0.0]),
            Budget(contenders.OURS_TRACED[1.0], contenders.STOCK[1.0]),
        ),
        free=(contenders.OURS_DISABLED,),
        rounds=30,
        seconds=1.3,
    ),
)
