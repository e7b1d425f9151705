"""An async view under the ASGI handler, with a stack that is async throughout, and behind sync middleware.

What a request takes differs between processes by up to two times, and by less than a tenth within one. So each has two
applications, one that nobody watches and one that the contender does, and they take turns. The bare contender watches
neither. A thread that exports spans does so in both turns: its part is in no difference.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
from functools import partial
from time import process_time
from typing import Any

from telemetry.benchmarks import contenders
from telemetry.benchmarks.scene import UNWATCHED, Budget, Outcome, Scene

_CONTENDERS = tuple(each for each in contenders.ALL if each != contenders.THEIRS_MULTI)
_TURNS, _TIMES = 60, 20
"""Of each application, and requests in each turn."""
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
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.core.signals import request_finished, request_started

    request_started.disconnect(db.close_old_connections)
    request_finished.disconnect(db.close_old_connections)
    watched: Any = get_asgi_application()
    settings.MIDDLEWARE = list(middleware)
    unwatched: Any = get_asgi_application()
    statuses: list[int] = []

    async def serve(application: Any) -> None:
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

    async def turn(application: Any) -> float:
        start = process_time()
        for _ in range(_TIMES):
            await serve(application)
        return process_time() - start

    async def work() -> tuple[float, float]:
        added, bases = [], []
        for number in range(-_TURNS // 10, _TURNS):
            if number == 0:
                gc.collect()
            first, second = (watched, unwatched) if number % 2 else (unwatched, watched)
            prices = {first: await turn(first)}
            prices[second] = await turn(second)
            if number >= 0:
                added.append(prices[watched] - prices[unwatched])
                bases.append(prices[unwatched])
        return statistics.median(added) / _TIMES * 1e6, statistics.median(bases) / _TIMES * 1e6

    added, base = asyncio.run(work())
    price, also = base + added, {UNWATCHED: base}
    if contender in (contenders.BARE, contenders.OURS_DISABLED):
        return Outcome(price, {"requests": statuses.count(200) / 2}, also)
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
    return Outcome(price, {"requests": requests}, also)


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
        rounds=7,
        seconds=4,
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
        rounds=7,
        seconds=8,
    ),
)
