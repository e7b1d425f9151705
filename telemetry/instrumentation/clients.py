"""Spans of outgoing HTTP calls, and their context in the calls' headers: by `opentelemetry-instrumentation-requests`,
`-urllib3` and `-httpx`, put in where the application imports the library. No library is imported for their sake.

Names, attributes and events are the stock ones. Ours are the conventions (stable unless
`OTEL_SEMCONV_STABILITY_OPT_IN` asks for both), what is private in them, and that they record no metrics.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from opentelemetry.trace import TracerProvider
from wrapt import register_post_import_hook

from telemetry.instrumentation._client_calls import Calls, Carry, guarded, kept
from telemetry.instrumentation._client_tracer import PrivateTracers
from telemetry.instrumentation._stock import HTTP, NO_METERS, follow_ours, is_in
from telemetry.instrumentation.drivers._sampling import answers

__all__ = ["LIBRARIES", "install", "uninstall"]

Failed = Callable[[str, BaseException], None]
_HEADERS = 3
"""Where `HTTPConnectionPool.urlopen` takes the headers by position."""


def _of_request(client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args, kwargs, (args[0] if args else kwargs["request"]).headers


def _of_urllib3(pool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    given = args[_HEADERS] if len(args) > _HEADERS else kwargs.get("headers")
    # Without headers the pool's own are sent, which the stock code would replace by its alone.
    headers = (pool.headers if given is None else given).copy()
    if len(args) > _HEADERS:
        return (*args[:_HEADERS], headers, *args[_HEADERS + 1 :]), kwargs, headers
    return args, {**kwargs, "headers": headers}, headers


@dataclass(frozen=True, slots=True)
class _Library:
    instrumentor: str
    methods: tuple[tuple[str, str, str], ...]
    """Module, class and name of each method that calls go out by."""
    carry: Carry
    excluded_urls: str
    """The variable that the instrumentation reads."""


LIBRARIES = {
    "requests": _Library(
        "RequestsInstrumentor",
        (("requests.sessions", "Session", "send"),),
        _of_request,
        "OTEL_PYTHON_REQUESTS_EXCLUDED_URLS",
    ),
    "urllib3": _Library(
        "URLLib3Instrumentor",
        (("urllib3.connectionpool", "HTTPConnectionPool", "urlopen"),),
        _of_urllib3,
        "OTEL_PYTHON_URLLIB3_EXCLUDED_URLS",
    ),
    "httpx": _Library(
        "HTTPXClientInstrumentor",
        (("httpx", "HTTPTransport", "handle_request"), ("httpx", "AsyncHTTPTransport", "handle_async_request")),
        _of_request,
        "OTEL_PYTHON_HTTPX_EXCLUDED_URLS",
    ),
}
"""By their names in `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS`, which are their modules' too."""

_wanted: dict[str, tuple[TracerProvider, Failed]] = {}
_watched: set[str] = set()
_installed: dict[str, Callable[[], None]] = {}
"""What takes each out again."""


def install(tracer_provider: TracerProvider, disabled: frozenset[str], failed: Failed) -> None:
    """Trace the calls of these libraries, be they imported before or after this. Idempotent.

    Where the instrumentation is not installed, or has been switched on by somebody, nothing is done.
    `failed` is told of what is lost when tracing a call fails.
    """
    for name in LIBRARIES:
        if name in disabled or name in _wanted:
            continue
        _wanted[name] = tracer_provider, failed
        if name not in _watched:
            _watched.add(name)
            register_post_import_hook(partial(_imported, name), name)
        elif name in sys.modules:
            _imported(name, sys.modules[name])


def uninstall() -> None:
    """Trace no more. Idempotent."""
    _wanted.clear()
    while _installed:
        _installed.popitem()[1]()


def _imported(name: str, module: object) -> None:
    if name not in _wanted or name in _installed:
        return
    tracer_provider, failed = _wanted[name]
    try:
        stock = getattr(import_module(f"opentelemetry.instrumentation.{name}"), LIBRARIES[name].instrumentor)
        if not is_in(stock):
            _installed[name] = _put_in(name, stock, tracer_provider, failed)
    except ImportError:
        return
    except Exception as error:  # noqa: BLE001 - it would be the import of the library that fails
        failed("spans.clients", error)


def _put_in(name: str, stock: Any, tracer_provider: TracerProvider, failed: Failed) -> Callable[[], None]:
    library = LIBRARIES[name]
    _, drops_unsampled = answers(getattr(tracer_provider.get_tracer(__name__), "sampler", None))
    excludes = any(map(os.environ.get, ("OTEL_PYTHON_EXCLUDED_URLS", library.excluded_urls)))
    calls = Calls(stock, library.carry, failed, is_quick=drops_unsampled and not excludes)
    places = [(getattr(import_module(module), owner), method) for module, owner, method in library.methods]
    originals = [vars(owner)[method] for owner, method in places]
    inner = [kept(original) for original in originals]
    # Of the stock class, so that the stock one can tell whether somebody has switched it on.
    ours = type("Ours", (stock,), {"_instance": None})()
    outer = list(originals)
    try:
        _set(places, inner)
        with follow_ours(HTTP):
            ours.instrument(tracer_provider=PrivateTracers(tracer_provider), meter_provider=NO_METERS)
        # It has not done anything, but logged, where the library's version is not one that it knows.
        if ours.is_instrumented_by_opentelemetry:
            found = [vars(owner)[method] for owner, method in places]
            outer = [guarded(*each, calls) for each in zip(originals, found, strict=True)]
    finally:
        _set(places, outer)

    def take_out() -> None:
        calls.active = False
        for (owner, method), mine, original in zip(places, outer, originals, strict=True):
            if vars(owner)[method] is mine:  # nobody has put theirs around it
                setattr(owner, method, original)

    return take_out


def _set(places: list[tuple[Any, str]], methods: list[Any]) -> None:
    for (owner, name), method in zip(places, methods, strict=True):
        setattr(owner, name, method)
