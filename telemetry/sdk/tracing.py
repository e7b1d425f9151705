"""The tracer provider that the standard OTEL_* variables ask for, if they ask for one.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from time import time_ns

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult

from telemetry.catalogue.export import FAILED, LOST, SPANS
from telemetry.sdk import ending
from telemetry.sdk._fork import ForkLock
from telemetry.sdk._private import end_batches, make_room, spans_waiting
from telemetry.sdk.exporters import Signal, otlp_exporter, wanted
from telemetry.store.base import Store

_logger = logging.getLogger("telemetry")

_forked = 0
"""When this process was forked, in nanoseconds of Unix time; 0 where it was not."""


def _in_child() -> None:
    global _forked
    _forked = time_ns()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def build_tracer_provider(
    environ: Mapping[str, str] = os.environ,
    store: Store | None = None,
    clean: Callable[[SpanExporter], SpanExporter] = lambda exporter: exporter,
) -> TracerProvider | None:
    """A tracer provider that exports as the environment says; None where nothing asks for spans.

    Spans are asked for by OTEL_TRACES_EXPORTER (a comma-separated list of otlp and console, or none) or,
    where it is not set, by an OTLP endpoint. OTEL_EXPORTER_OTLP_PROTOCOL is grpc (the SDK's default) or
    http/protobuf. Sampler, resource, limits and the exporters' own variables are read by the SDK from the
    process's environment. No thread starts and no connection is made before the first span has ended.
    Spans that did not arrive are counted in `store`. `clean` puts something in front of each exporter.

    Raises:
        ConfigurationError: a variable's value is not valid, or the exporter's package is not installed.
    """
    factories = [_factory(name, environ) for name in wanted(Signal.TRACES, environ)]
    if not factories:
        return None
    provider = TracerProvider(resource=Resource.create())
    losses = Losses(store)
    for factory in factories:
        provider.add_span_processor(LazyBatchProcessor(_cleaned(factory, clean), losses))
    return provider


def _cleaned(
    factory: Callable[[], SpanExporter], clean: Callable[[SpanExporter], SpanExporter]
) -> Callable[[], SpanExporter]:
    return lambda: clean(factory())


class Losses:
    """Counts the spans that did not arrive, if there is a store to count in, and says each reason once."""

    def __init__(self, store: Store | None = None) -> None:
        self._failed = None if store is None else store.table(FAILED)
        self._lost = None if store is None else store.table(LOST)
        self._said: set[str] = set()

    def failed(self) -> None:
        """An export was not acknowledged."""
        if self._failed is not None:
            self._failed.add((SPANS,))

    def lost(self, reason: str, spans: int) -> None:
        """So many spans are gone; `reason` is constant."""
        if not spans:
            return
        if reason not in self._said:
            self._said.add(reason)
            _logger.warning("telemetry: spans are lost (%s); counted in telemetry_export_lost_total", reason)
        if self._lost is not None:
            self._lost.add((SPANS, reason), float(spans))


class LazyBatchProcessor(SpanProcessor):
    """The SDK's batch processor, made when the first span ends, and made anew in a forked child.

    An exporter's connection does not survive a fork, and neither does the batch processor's thread.
    What waits is bounded by OTEL_BSP_MAX_QUEUE_SIZE; what finds no room is lost, and `losses` counts it.
    A span that was running at the fork is the parent's: a child that ends it too exports nothing.
    """

    def __init__(self, exporter: Callable[[], SpanExporter], losses: Losses | None = None) -> None:
        self._exporter = exporter
        self._losses = losses or Losses()
        self._lock = ForkLock()
        self._made: tuple[int, BatchSpanProcessor] | None = None
        self._shut = False
        self._backdated: set[tuple[int, int]] = set()
        ending.watch(self)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Keep in mind a span of this process whose start is said to be before the fork."""
        if _before_fork(span):
            self._backdated.add(_identity(span))

    def on_end(self, span: ReadableSpan) -> None:
        """Queue an ended span for export, if it is sampled."""
        context = span.context
        if self._shut or context is None or not context.trace_flags.sampled:
            return
        if _before_fork(span):
            if _identity(span) not in self._backdated:
                return
            self._backdated.discard(_identity(span))
        made = self._made
        if made is None or made[0] != os.getpid():
            with self._lock:
                made = self._made
                if made is None or made[0] != os.getpid():
                    ending.go_on()
                    counting = _CountingExporter(self._exporter, self._losses)
                    made = self._made = (os.getpid(), BatchSpanProcessor(counting))
        with self._lock:  # so that no other thread takes the room that is made
            if make_room(made[1]):
                self._losses.lost("queue_full", 1)
            made[1].on_end(span)

    def shutdown(self) -> None:
        """Export what is queued and stop the thread, if this process has one; in bounded time."""
        self._shut = True
        self.stop()

    def stop(self) -> None:
        """As `shutdown`, but spans that end later are exported by a new thread."""
        mine, self._made = self._mine(), None
        if mine is not None:
            end_batches(mine, ending.remaining(ending.deadline(spans=True)))
            counting = mine.span_exporter
            under_way = counting.give_up() if isinstance(counting, _CountingExporter) else 0
            self._losses.lost("exit", spans_waiting(mine) + under_way)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what is queued; whether that ended in time."""
        mine = self._mine()
        return mine is None or mine.force_flush(timeout_millis)

    def _mine(self) -> BatchSpanProcessor | None:
        made = self._made
        return made[1] if made is not None and made[0] == os.getpid() else None


def _before_fork(span: ReadableSpan) -> bool:
    return _forked > 0 and span.start_time is not None and span.start_time <= _forked


def _identity(span: ReadableSpan) -> tuple[int, int]:
    context = span.get_span_context()
    return os.getpid(), 0 if context is None else context.span_id


class _CountingExporter(SpanExporter):
    """An exporter that counts what it could not deliver.

    It is made by the first export, in no request: that imports much, and a variable may be wrong.
    """

    def __init__(self, make: Callable[[], SpanExporter], losses: Losses) -> None:
        self._make = make
        self._exporter: SpanExporter | None = None
        self._losses = losses
        self._lock = Lock()
        self._under_way = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._under_way = len(spans)
        arrived = False
        try:
            if self._exporter is None:
                self._exporter = self._make()
            result = self._exporter.export(spans)
            arrived = result is SpanExportResult.SUCCESS
            return result
        finally:
            mine = self.give_up()
            if not arrived and mine:
                self._losses.failed()
                self._losses.lost("failed", mine)

    def give_up(self) -> int:
        """How many spans are being exported right now; what becomes of them is not counted any more."""
        with self._lock:
            spans, self._under_way = self._under_way, 0
            return spans

    def shutdown(self) -> None:
        if self._exporter is not None:
            self._exporter.shutdown()


def _factory(name: str, environ: Mapping[str, str]) -> Callable[[], SpanExporter]:
    if name == "console":
        return ConsoleSpanExporter
    return otlp_exporter(Signal.TRACES, environ)
