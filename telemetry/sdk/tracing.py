"""The tracer provider that the standard OTEL_* variables ask for, if they ask for one.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec

from opentelemetry.context import Context
from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    OTEL_SDK_DISABLED,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from telemetry.errors import ConfigurationError
from telemetry.sdk._fork import ForkLock

OTEL_TRACES_EXPORTER = "OTEL_TRACES_EXPORTER"

_OTLP_PACKAGES = {
    "grpc": "opentelemetry.exporter.otlp.proto.grpc",
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http",
}


def build_tracer_provider(environ: Mapping[str, str] = os.environ) -> TracerProvider | None:
    """A tracer provider that exports as the environment says; None where nothing asks for spans.

    Spans are asked for by OTEL_TRACES_EXPORTER (a comma-separated list of otlp and console, or none) or,
    where it is not set, by an OTLP endpoint. OTEL_EXPORTER_OTLP_PROTOCOL is grpc (the SDK's default) or
    http/protobuf. Sampler, resource, limits and the exporters' own variables are read by the SDK from the
    process's environment. No thread starts and no connection is made before the first span has ended.

    Raises:
        ConfigurationError: a variable's value is not valid, or the exporter's package is not installed.
    """
    if environ.get(OTEL_SDK_DISABLED, "").strip().lower() == "true":
        return None
    factories = [_factory(name, environ) for name in _exporters(environ)]
    if not factories:
        return None
    provider = TracerProvider(resource=Resource.create())
    for factory in factories:
        provider.add_span_processor(LazyBatchProcessor(factory))
    return provider


class LazyBatchProcessor(SpanProcessor):
    """The SDK's batch processor, made when the first span ends, and made anew in a forked child.

    An exporter's connection does not survive a fork, and neither does the batch processor's thread.
    """

    def __init__(self, exporter: Callable[[], SpanExporter]) -> None:
        self._exporter = exporter
        self._lock = ForkLock()
        self._made: tuple[int, BatchSpanProcessor] | None = None
        self._shut = False

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing happens at a span's start."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue an ended span for export, if it is sampled."""
        context = span.context
        if self._shut or context is None or not context.trace_flags.sampled:
            return
        made = self._made
        if made is None or made[0] != os.getpid():
            with self._lock:
                made = self._made
                if made is None or made[0] != os.getpid():
                    made = self._made = (os.getpid(), BatchSpanProcessor(self._exporter()))
        made[1].on_end(span)

    def shutdown(self) -> None:
        """Export what is queued and stop the thread, if this process has one."""
        self._shut = True
        mine = self._mine()
        if mine is not None:
            mine.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what is queued; whether that ended in time."""
        mine = self._mine()
        return mine is None or mine.force_flush(timeout_millis)

    def _mine(self) -> BatchSpanProcessor | None:
        made = self._made
        return made[1] if made is not None and made[0] == os.getpid() else None


def _exporters(environ: Mapping[str, str]) -> list[str]:
    given = environ.get(OTEL_TRACES_EXPORTER, "").strip()
    if not given:
        endpoint = environ.get(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) or environ.get(OTEL_EXPORTER_OTLP_ENDPOINT)
        return ["otlp"] if endpoint and endpoint.strip() else []
    names = [name.strip().lower() for name in given.split(",") if name.strip()]
    for name in names:
        if name not in ("otlp", "console", "none"):
            raise ConfigurationError(f"{OTEL_TRACES_EXPORTER}: {name!r} is not valid; give otlp, console or none")
    return [] if "none" in names else list(dict.fromkeys(names))


def _factory(name: str, environ: Mapping[str, str]) -> Callable[[], SpanExporter]:
    if name == "console":
        return ConsoleSpanExporter
    variable = OTEL_EXPORTER_OTLP_TRACES_PROTOCOL
    if not environ.get(variable, "").strip():
        variable = OTEL_EXPORTER_OTLP_PROTOCOL
    protocol = environ.get(variable, "").strip() or "grpc"
    package = _OTLP_PACKAGES.get(protocol)
    if package is None:
        raise ConfigurationError(f"{variable}: {protocol!r} is not valid; give {' or '.join(_OTLP_PACKAGES)}")
    if not _installed(package):
        raise ConfigurationError(
            f"{variable}: spans are to go out by {protocol}, but {package} is not installed; install the extra 'otlp'"
        )

    def exporter() -> SpanExporter:
        made: SpanExporter = import_module(f"{package}.trace_exporter").OTLPSpanExporter()
        return made

    return exporter


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False
