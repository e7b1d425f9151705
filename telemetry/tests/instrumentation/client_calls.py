"""HTTP clients, a real server for them to call, and spans of what they do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any

import httpx
import requests
import urllib3
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import INVALID_SPAN, get_current_span

from telemetry.instrumentation import clients
from telemetry.tests.instrumentation.query_spans import Traces

Headers = dict[str, str]
Call = Callable[..., int]
"""Calls a URL, in this method and with these headers, and gives the status of the answer."""


def _requests(method: str, url: str, headers: Headers | None = None) -> int:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, headers=headers, timeout=10).status_code


def _urllib3(method: str, url: str, headers: Headers | None = None) -> int:
    with urllib3.PoolManager() as pool:
        return pool.request(
            method, url, headers=headers, retries=urllib3.Retry(3, connect=0, read=0), timeout=10
        ).status


def _httpx(method: str, url: str, headers: Headers | None = None) -> int:
    with httpx.Client(trust_env=False, follow_redirects=True) as client:
        return client.request(method, url, headers=headers).status_code


def _httpx_async(method: str, url: str, headers: Headers | None = None) -> int:
    async def call() -> int:
        async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as client:
            return (await client.request(method, url, headers=headers)).status_code

    return asyncio.run(call())


CLIENTS: dict[str, Call] = {"requests": _requests, "urllib3": _urllib3, "httpx": _httpx, "httpx, async": _httpx_async}


class Server:
    """What it was asked: paths, and by path the headers, their names in lower case.

    `/<status>` is answered so, `/to/<path>` leads to that, `/twice` gives its length twice over; `/none` hangs up.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.paths: list[str] = []
        self.headers: dict[str, Headers] = {}
        self.answer_headers: Headers = {}

    def url(self, path: str, userinfo: str = "") -> str:
        return f"http://{userinfo}127.0.0.1:{self.port}{path}"


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs as long as the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            server.paths.append(path)
            server.headers[path] = {name.lower(): value for name, value in self.headers.items()}
            last = path.rpartition("/")[2]
            if last == "none":
                self.close_connection = True
                return
            self.send_response(302 if path.startswith("/to/") else int(last) if last.isdigit() else 200)
            if path.startswith("/to/"):
                self.send_header("Location", path.removeprefix("/to"))
            for name, value in server.answer_headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2, 2" if last == "twice" else "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_POST = do_BREW = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(http.server_port)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@contextmanager
def traced(sampler: Sampler | None = None, failures: list[str] | None = None) -> Iterator[Traces]:
    """Calls are traced by ours as long as the block; nothing may fail in it unless `failures` is given."""
    told: list[str] = []
    traces, kept = Traces(sampler), told if failures is None else failures
    clients.install(traces.provider, frozenset(), lambda where, error: kept.append(f"{where}: {error!r}"))
    try:
        yield traces
    finally:
        clients.uninstall()
    assert [] == told
    assert INVALID_SPAN is get_current_span(), "no span is left behind as the current one"


def methods() -> list[object]:
    """What stands in the libraries' classes, of the methods that calls go out by."""
    return [
        vars(getattr(import_module(module), owner))[name]
        for library in clients.LIBRARIES.values()
        for module, owner, name in library.methods
    ]


def stock(name: str) -> Any:
    """The stock instrumentor of a client's library."""
    library = name.partition(",")[0]
    return getattr(import_module(f"opentelemetry.instrumentation.{library}"), clients.LIBRARIES[library].instrumentor)()
