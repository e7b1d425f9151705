"""The service's metrics by OTLP: one process at a time pushes what all have recorded.

Cumulative points begin with the generation of the store, whoever pushes, so that a successor goes on with
the same series. Deltas go on from what the receiver acknowledged last, which is kept beside the store; a
process killed between the acknowledgement and that note sends one interval twice.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION,
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE,
    OTEL_METRIC_EXPORT_INTERVAL,
    OTEL_METRIC_EXPORT_TIMEOUT,
)
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ConsoleMetricExporter,
    MetricExporter,
    MetricExportResult,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import Aggregation, ExponentialBucketHistogramAggregation

from telemetry.catalogue.export import FAILED, METRICS
from telemetry.errors import ConfigurationError, StoreUnavailable
from telemetry.sdk import ending
from telemetry.sdk._private import exporter_of
from telemetry.sdk.consumer import StoreConsumer
from telemetry.sdk.conventions import Conventional
from telemetry.sdk.election import Election
from telemetry.sdk.exporters import Signal, otlp_exporter, wanted
from telemetry.sdk.provider import consumer_of
from telemetry.store.base import Store

_POINTS = 5000
"""Points in one request: gRPC receivers refuse more than 4 MiB."""

Failed = Callable[[str, BaseException], None]


def build_push(
    provider: MeterProvider,
    store: Store,
    failed: Failed,
    *,
    django_names: bool = False,
    namespace: str = "",
    environ: Mapping[str, str] = os.environ,
) -> MetricsPush:
    """What pushes the metrics of `provider`, which records into `store`, as the environment says.

    Metrics are pushed where OTEL_METRICS_EXPORTER (a comma-separated list of otlp and console) or, without
    it, an OTLP endpoint asks for it. No thread starts and nothing is connected before `MetricsPush.start`.
    Readers with an exporter of their own, as `opentelemetry-instrument` makes them, are silenced where the
    variables ask for the same, and else give data in one process at a time too.

    Raises:
        ConfigurationError: a variable's value is not valid, the exporter's package is not installed, or
            the provider does not record into a store.
    """
    consumer = consumer_of(provider)
    consumer.shown = Conventional(django_names, namespace)
    election = Election(lambda: _directory(store))
    # before the variables are read: readers of others are held back in any case
    consumer.admit = lambda reader: not isinstance(reader, PeriodicExportingMetricReader) or election.won()
    names = wanted(Signal.METRICS, environ)
    targets = [_target(name, provider, consumer, environ) for name in names]
    interval = _milliseconds(OTEL_METRIC_EXPORT_INTERVAL, 60_000, environ) / 1000
    timeout = _milliseconds(OTEL_METRIC_EXPORT_TIMEOUT, 30_000, environ)
    push = MetricsPush(targets, election, store, failed, interval=interval, timeout=timeout)
    if targets:
        consumer.admit = lambda reader: (
            not isinstance(reader, PeriodicExportingMetricReader)
            or (not type(exporter_of(reader)).__module__.startswith("opentelemetry.") and election.won())
        )
    return push


class MetricsPush:
    """A thread in every serving process, of which one at a time pushes; `interval` in s, `timeout` in ms."""

    def __init__(
        self,
        targets: list[_Target],
        election: Election,
        store: Store,
        failed: Failed,
        *,
        interval: float,
        timeout: float,
    ) -> None:
        self._targets = targets
        self._election = election
        self._store = store
        self._failures = store.table(FAILED)
        self._failed = failed
        self._interval = interval
        self._timeout = timeout
        self._pid = 0
        self._thread: threading.Thread | None = None
        self._end = threading.Event()
        self._deadline = math.inf
        self._began_to_end = 0
        ending.watch(self)

    @property
    def wanted(self) -> bool:
        """Whether anything is to be pushed at all."""
        return bool(self._targets)

    def start(self) -> None:
        """Stand for election in this process, which serves requests or runs tasks; again changes nothing."""
        if self._pid == os.getpid() or not self._targets:
            return
        self._pid = os.getpid()
        ending.go_on()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._end,), name="telemetry-push", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no thread can be had, or the interpreter is ending
            self._thread = None
            self._failed("push.thread", error)

    def stop(self) -> None:
        """Push what this process was the last to record, in bounded time; then it may be started again."""
        thread = self._thread
        if self._pid != os.getpid() or thread is None:
            return
        self._began_to_end = time.monotonic_ns()
        self._deadline = ending.deadline()
        self._end.set()
        thread.join(ending.remaining(self._deadline))
        for target in self._targets:
            target.close()
        self._election.resign()
        self._pid = 0

    def _run(self, end: threading.Event) -> None:
        while not end.wait(self._interval):
            try:
                if self._election.won():
                    self._push()
            except Exception as error:  # noqa: BLE001 - the thread must go on
                self._failed("push", error)
        try:
            if time.monotonic() < self._deadline and self._election.won_at_last(self._deadline) and not self._told():
                self._push()
        except Exception as error:  # noqa: BLE001 - a thread has nobody to tell
            self._failed("push", error)
        self._election.resign()

    def _told(self) -> bool:
        """Whether another process has pushed since this one began to end, and so has told all of it."""
        return self._began_to_end < self._election.pushed <= time.monotonic_ns()

    def _push(self) -> None:
        read = time.monotonic_ns()
        directory = _directory(self._store)
        arrived = [target.push(directory, self._timeout, self._failed) for target in self._targets]
        self._failures.add((METRICS,), float(arrived.count(False)))
        if all(arrived):
            self._election.pushed = read


class _Reader(MetricReader):
    """Has the consumer collect, and keeps what it gave."""

    data: MetricsData | None = None

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object) -> None:
        self.data = metrics_data

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """There is nothing to be ended."""


class _Target:
    """One exporter, made when this process first pushes, and what its receiver has got so far."""

    def __init__(
        self,
        name: str,
        make: Callable[[], MetricExporter],
        provider: MeterProvider,
        consumer: StoreConsumer,
        temporality: dict[type, AggregationTemporality],
        aggregation: dict[type, Aggregation],
    ) -> None:
        self._name = name
        self._make = make
        self._reader = _Reader(temporality, aggregation)
        provider.add_metric_reader(self._reader)
        self._baseline = consumer.baseline_of(self._reader)
        self._deltas = AggregationTemporality.DELTA in temporality.values()
        self._made: tuple[int, MetricExporter] | None = None

    def push(self, directory: Path | None, timeout: float, failed: Failed) -> bool:
        """Send what the service has counted; whether it arrived."""
        kept = None if directory is None or not self._deltas else directory / f"push.{self._name}.baseline"
        if self._made is None or self._made[0] != os.getpid():
            if kept is not None and kept.exists():
                try:
                    self._baseline.load(kept.read_bytes())
                except (OSError, ValueError) as error:
                    failed("push.baseline", error)
            self._made = (os.getpid(), self._make())
        before = self._baseline.snapshot()
        self._reader.data = None
        self._reader.collect(timeout)
        data, self._reader.data = self._reader.data, None
        if data is None:
            return True
        try:
            with suppress_instrumentation():  # the exporter's own requests are not the service's
                arrived = self._made[1].export(data, timeout_millis=timeout) is MetricExportResult.SUCCESS
        except Exception as error:  # noqa: BLE001 - whatever an exporter raises, the next push may go well
            failed("push.export", error)
            arrived = False
        if not arrived:
            self._baseline.restore(before)
        elif kept is not None:
            try:
                temporary = kept.with_suffix(".new")
                temporary.write_bytes(self._baseline.dump())
                temporary.rename(kept)
            except OSError as error:
                failed("push.baseline", error)
        return arrived

    def close(self) -> None:
        """Have an export that is under way give up; the next push begins where the last pusher left off."""
        made, self._made = self._made, None
        if made is not None:
            made[1].shutdown()


def _target(name: str, provider: MeterProvider, consumer: StoreConsumer, environ: Mapping[str, str]) -> _Target:
    if name == "console":
        return _Target(name, ConsoleMetricExporter, provider, consumer, {}, {})
    exporter = otlp_exporter(Signal.METRICS, environ, max_export_batch_size=_POINTS)
    return _Target(name, exporter, provider, consumer, _temporality(environ), _aggregation(environ))


def _temporality(environ: Mapping[str, str]) -> dict[type, AggregationTemporality]:
    """https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/otlp/#additional-environment-variable-configuration"""
    given = environ.get(OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE, "").strip().lower() or "cumulative"
    deltas: dict[str, tuple[type, ...]] = {
        "cumulative": (),
        "delta": (Counter, Histogram, ObservableCounter),
        "lowmemory": (Counter, Histogram),
    }
    if given not in deltas:
        raise ConfigurationError(
            f"{OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE}: {given!r} is not valid; "
            "give cumulative, delta or lowmemory"
        )
    return dict.fromkeys(deltas[given], AggregationTemporality.DELTA)


def _aggregation(environ: Mapping[str, str]) -> dict[type, Aggregation]:
    given = environ.get(OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION, "").strip().lower()
    if given in ("", "explicit_bucket_histogram"):
        return {}
    if given == "base2_exponential_bucket_histogram":
        return {Histogram: ExponentialBucketHistogramAggregation()}
    raise ConfigurationError(
        f"{OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION}: {given!r} is not valid; "
        "give explicit_bucket_histogram or base2_exponential_bucket_histogram"
    )


def _milliseconds(variable: str, default: float, environ: Mapping[str, str]) -> float:
    given = environ.get(variable, "").strip()
    try:
        value = float(given or default)
    except ValueError:
        value = 0.0
    if not (math.isfinite(value) and value > 0):
        raise ConfigurationError(f"{variable}: {given!r} is not valid; give milliseconds, more than 0")
    return value


def _directory(store: Store) -> Path | None:
    """Where the processes of the service meet; None where this one has a store of its own."""
    directory = getattr(store, "directory", None)
    if directory is None:
        return None
    try:
        directory.prepare()
    except StoreUnavailable:
        return None
    return Path(directory.path)
