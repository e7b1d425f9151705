"""What the stock instrumentations of HTTP clients get for a tracer: it takes out what is private before it is recorded.

The provider may be somebody else's, with no `CleaningExporter` behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.trace import SpanKind, Tracer, TracerProvider, use_span
from wrapt import ObjectProxy

from telemetry.instrumentation import privacy


class PrivateTracers:
    """Gives tracers of `provider` to code that only says `start_as_current_span`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider

    def get_tracer(self, *args: Any, **kwargs: Any) -> _PrivateTracer:
        """A tracer of this scope."""
        return _PrivateTracer(self._provider.get_tracer(*args, **kwargs))


class _PrivateTracer:
    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    @contextmanager
    def start_as_current_span(self, name: str, *, kind: SpanKind, attributes: Mapping[str, Any]) -> Iterator[Any]:
        """A client span for the block; an error that leaves it is told without its message, which quotes the URL."""
        span = self._tracer.start_span(name, kind=kind, attributes=privacy.attributes(_with_server(attributes)))
        with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield _PrivateSpan(span)
            except Exception as error:
                if span.is_recording():
                    span.set_attribute("error.type", type(error).__qualname__)
                    privacy.record(span, error)
                raise


class _PrivateSpan(ObjectProxy):  # type: ignore[type-arg]
    """What is added to a span later, captured headers of the answer above all, is cleaned too."""

    def set_attribute(self, name: str, value: Any) -> None:
        self.set_attributes({name: value})

    def set_attributes(self, found: Mapping[str, Any]) -> None:
        self.__wrapped__.set_attributes(privacy.attributes(found))


def _with_server(found: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes with the server's name and port, which the conventions require; not all stock code gives them."""
    server = urlsplit(found["url.full"])
    told: dict[str, Any] = {"server.address": server.hostname} if server.hostname else {}
    if server.port:
        told["server.port"] = server.port
    return told | dict(found)
