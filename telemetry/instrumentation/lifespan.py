"""The end of an ASGI server, told to Django's application by the lifespan protocol, which Django itself declines.

https://asgi.readthedocs.io/en/latest/specs/lifespan.html
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.handlers.asgi import ASGIHandler

Failed = Callable[[str, BaseException], None]


def end_with_lifespan(end: Callable[[], None], failed: Failed) -> None:
    """Have `end` called when a server ends the lifespan of Django's ASGI application; again changes nothing.

    `end` runs in the loop's thread: all requests are over by then. Applications that answer the lifespan
    protocol before Django is asked are left alone.
    """
    call = ASGIHandler.__call__
    if hasattr(call, "_telemetry_lifespan"):
        return

    @functools.wraps(call)
    async def answer(self: ASGIHandler, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send, end, failed)
        else:
            await call(self, scope, receive, send)

    answer._telemetry_lifespan = True  # type: ignore[attr-defined]
    ASGIHandler.__call__ = answer  # type: ignore[method-assign]


async def _live(
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
    end: Callable[[], None],
    failed: Failed,
) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            try:
                end()
            except Exception as exc:  # noqa: BLE001 - the server must come to its end
                failed("lifespan", exc)
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "lifespan.startup.complete"})
