"""A trivial view under the WSGI handler, behind the middleware of `startproject`.

Each process has two handlers, one that nobody watches and one that the contender does, and they take turns. The bare
contender watches neither, and shows how far from 0 the difference may be.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from telemetry.benchmarks import contenders
from telemetry.benchmarks.scene import UNWATCHED, Budget, Outcome, Scene, in_turn

_TURNS, _TIMES = 120, 100
"""Of each handler, and requests in each turn: some ten milliseconds."""


def _run(contender: str) -> Outcome:
    spans = contenders.set_up(contender)
    from django import db
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.core.signals import request_finished, request_started
    from django.test import RequestFactory

    # Django's own housekeeping of connections at every request is the same for all.
    request_started.disconnect(db.close_old_connections)
    request_finished.disconnect(db.close_old_connections)
    watched = WSGIHandler()
    settings.MIDDLEWARE = list(contenders.DEFAULT_MIDDLEWARE)
    unwatched, environ, calls = WSGIHandler(), RequestFactory().get("/plain").environ, 0

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
        nonlocal calls
        calls += status == "200 OK"

    def serve(handler: Any) -> None:
        response = handler(dict(environ), start_response)
        b"".join(response)
        response.close()

    price, base = in_turn(
        partial(serve, watched),
        partial(serve, unwatched),
        times=_TIMES,
        turns=_TURNS,
        end=(lambda: None) if spans is None else spans.count,
    )
    price, also = price * 1e6, {UNWATCHED: base * 1e6}
    if contender in (contenders.BARE, contenders.OURS_DISABLED):
        return Outcome(price, {"requests": calls / 2}, also)
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
        name="request",
        title="A trivial view under the WSGI handler, `startproject`'s middleware",
        unit="µs",
        contenders=contenders.ALL,
        run=_run,
        budgets=(
            Budget(contenders.OURS, contenders.THEIRS, 0.35, 0.20),
            Budget(contenders.OURS, contenders.THEIRS_MULTI, 0.30, 0.15),
            Budget(contenders.OURS_TRACED[0.1], contenders.THEIRS, 0.65, 0.45),
            Budget(contenders.OURS_TRACED[0.1], contenders.STOCK[0.1], 0.28, 0.20),
            Budget(contenders.OURS_TRACED[1.0], contenders.STOCK[1.0], 0.45, 0.30),
        ),
        free=(contenders.OURS_DISABLED,),
        rounds=7,
        seconds=1.3,
    ),
)
