"""The ASGI application, watched: what each request submits to executors, and in which threads our functions run.

`/_seen/<path>` answers with both for the last request to `/<path>`, once that is all over.
"""

from __future__ import annotations

import asyncio
import functools
import json
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType
from typing import Any

import django
from asgiref.current_thread_executor import CurrentThreadExecutor

django.setup(set_prefix=False)

from django.core.asgi import get_asgi_application  # noqa: E402

_submitted: list[str] = []
_off_loop: set[str] = set()
_on_loop: set[str] = set()


def _counting(kind: Any) -> None:
    submit = kind.submit

    def counted(self: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        _submitted.append(kind.__name__)
        return submit(self, function, *args, **kwargs)

    kind.submit = counted


def _watched(function: Any) -> Any:
    @functools.wraps(function)
    def watch(*args: Any, **kwargs: Any) -> Any:
        here = _on_loop if threading.get_ident() == _loop_thread else _off_loop
        here.add(function.__qualname__)
        return function(*args, **kwargs)

    return watch


def _watch_ours() -> None:
    """Every function of the middlewares, the instrumentation of HTTP and the store's tables."""
    for name in (
        "middleware",
        "instrumentation.http",
        "instrumentation._http_labels",
        "instrumentation._stream",
        "store.table",
    ):
        module = sys.modules.get(f"telemetry.{name}")
        for kind in vars(module).values() if module else ():
            if isinstance(kind, type) and kind.__module__ == f"telemetry.{name}":
                for attribute, function in list(vars(kind).items()):
                    if isinstance(function, FunctionType) and attribute != "__init__":
                        setattr(kind, attribute, _watched(function))


for _kind in (ThreadPoolExecutor, CurrentThreadExecutor):
    _counting(_kind)
_loop_thread = 0
_seen: dict[str, Any] = {}
_django = get_asgi_application()
_watch_ours()


async def application(scope: Any, receive: Any, send: Any) -> None:
    global _loop_thread
    _loop_thread = threading.get_ident()
    if scope["type"] != "http":
        raise ValueError(scope["type"])
    if scope["path"].startswith("/_seen/"):
        await _answer(scope["path"].removeprefix("/_seen"), send)
        return
    for seen in (_submitted, _on_loop, _off_loop):
        seen.clear()
    try:
        await _django(scope, receive, send)
    finally:
        _seen[scope["path"]] = {
            "submitted": sorted(_submitted),
            "on_loop": sorted(_on_loop),
            "off_loop": sorted(_off_loop),
        }


async def _answer(path: str, send: Any) -> None:
    while path not in _seen:
        await asyncio.sleep(0.01)
    body = json.dumps(_seen[path]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
