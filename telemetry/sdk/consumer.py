"""The place where the SDK's measurements are aggregated: the shared store instead of one process's memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Instrument
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter
from opentelemetry.sdk.metrics.export import MetricReader, MetricsData

from telemetry.catalogue.own import DROPPED
from telemetry.limit import SERIES
from telemetry.samples import FamilySamples, Reading
from telemetry.sdk._fork import ForkLock
from telemetry.sdk._private import Measurement, MeasurementConsumer, Resolver, SdkConfiguration, make_instrument
from telemetry.sdk.flows import Flow, flow_of_family, flow_of_stream
from telemetry.sdk.observables import SECONDS, Observables
from telemetry.sdk.points import Baseline, metrics_data
from telemetry.sdk.recorder import Recorder
from telemetry.sdk.streams import PREFIX, Identity, Shape, Stream, identify, identity_of, stream_of
from telemetry.spec import Family
from telemetry.store.base import Store

_logger = logging.getLogger("telemetry")

Extra = Callable[[Reading], Iterable[FamilySamples]]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many series a stream may have in one process; beyond, values become `OVERFLOW`.

    `series` counts for every stream, `by_name` for the streams of that name (the View's, else the
    instrument's in lower case), `labels` budgets the distinct values of an attribute in any stream.
    `declared` has the budgets of single instruments, by their scope and name, where `labels` says nothing;
    it is asked when an instrument records for the first time.
    """

    series: int = SERIES
    by_name: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    declared: Mapping[tuple[str, str], Mapping[str, int]] = field(default_factory=dict)


@dataclass(slots=True)
class _Reader:
    resolver: Resolver
    baseline: Baseline


class StoreConsumer(MeasurementConsumer):
    """Records every measurement into the store, and gives readers what all processes recorded.

    No error reaches the code that measures: it is counted as dropped, and logged once for each instrument.

    Raises:
        ConfigurationError: a scope in `scopes` is neither "service" nor "process".
    """

    def __init__(
        self,
        config: SdkConfiguration,
        readers: Iterable[MetricReader],
        store: Store,
        *,
        limits: Limits | None = None,
        scopes: Mapping[str, str] | None = None,
        extra: Extra | None = None,
        declared: Mapping[str, Family] | None = None,
        instruments: Callable[[], Iterable[Instrument]] = tuple,
    ) -> None:
        self.config = config
        self.declared: Mapping[str, Family] = {} if declared is None else declared
        self.admit: Callable[[MetricReader], bool] = lambda reader: True
        """Whether a reader gets data from this process."""
        self.shown: Callable[[FamilySamples], Flow | None] = flow_of_family
        """How readers other than the page's are shown the families of `extra`; None leaves one out."""
        self._instruments = instruments
        self._exemplars = not isinstance(config.exemplar_filter, AlwaysOffExemplarFilter)
        self._store = store
        self._limits = limits or Limits()
        self._extra = extra
        self._lock = ForkLock()
        self._page = Resolver(config)
        self._resolvers = {self._page.signature: self._page}
        self._readers: dict[MetricReader, _Reader] = {}
        self._streams: dict[tuple[Resolver, Instrument], tuple[Stream, ...]] = {}
        self._recorders: dict[str, Recorder] = {}
        self._routes: dict[object, tuple[Recorder, ...]] = {}
        self._observables = Observables(scopes or {}, self._routes_of, self._report)
        self._identities: dict[str, Identity | None] = {}
        self._stand_ins: dict[Identity, Instrument] = {}
        self._failed: set[str] = set()
        self._dropped = store.table(DROPPED)
        for reader in readers:
            self.add_metric_reader(reader)

    # What the SDK calls.

    def consume_measurement(self, measurement: Measurement) -> None:
        """Record a measurement of a synchronous instrument; never raises."""
        try:
            for recorder in self._routes.get(measurement.instrument) or self._routes_of(measurement.instrument):
                recorder.record(measurement)
        except Exception as error:  # noqa: BLE001 - whatever it is, the host goes on
            self._report(f"instrument {measurement.instrument.name!r}", error)

    def register_asynchronous_instrument(self, instrument: Instrument) -> None:
        """Ask this instrument's callbacks at collections from now on."""
        with self._lock:
            self._observables.add(instrument)

    def add_metric_reader(self, metric_reader: MetricReader) -> None:
        """Give this reader what its collections ask for; what it aggregates its own way is recorded from now on."""
        with self._lock:
            signature = Resolver.signature_of(metric_reader)
            resolver = self._resolvers.get(signature)
            if resolver is None:
                resolver = self._resolvers[signature] = Resolver(self.config, metric_reader)
            self._readers = {**self._readers, metric_reader: _Reader(resolver, Baseline())}
            self._routes = {}

    def remove_metric_reader(self, metric_reader: MetricReader) -> None:
        """Forget this reader."""
        with self._lock:
            self._readers = {reader: state for reader, state in self._readers.items() if reader is not metric_reader}

    def collect(self, metric_reader: MetricReader, timeout_millis: float = 10_000) -> MetricsData | None:
        """What all processes recorded, as this reader wants it; None where there is nothing or it cannot be read."""
        state = self._readers.get(metric_reader)
        if state is None or not self.admit(metric_reader):
            return None
        try:
            seconds = min(SECONDS, timeout_millis / 1000)
            self.publish(seconds)
            reading = self._store.read()
            page = isinstance(metric_reader, PrometheusMetricReader)
            shown = flow_of_family if page else self.shown
            flows = self.flows(reading, state.resolver, seconds)
            flows += [flow for samples in (self._extra or _nothing)(reading) if (flow := shown(samples))]
            if page:  # HELP and TYPE are wanted without data too; the exporter fails on exponential histograms
                flows = [flow for flow in flows if flow.shape is not Shape.EXPONENTIAL]
            return metrics_data(flows, reading, metric_reader, state.baseline, self.config.resource, empty=page)
        except Exception as error:  # noqa: BLE001 - a periodic reader's thread would end for good
            self._report(f"reader {type(metric_reader).__name__}", error)
            return None

    # What the runtime and the families call.

    def baseline_of(self, metric_reader: MetricReader) -> Baseline:
        """What a reader that was added has been given so far."""
        return self._readers[metric_reader].baseline

    def publish(self, seconds: float = SECONDS) -> None:
        """Ask the observables of process scope and store what they tell; starts no callback after `seconds`."""
        self._observables.publish(seconds)

    def flows(
        self,
        reading: Reading,
        resolver: Resolver | None = None,
        seconds: float = SECONDS,
        declared: Mapping[str, Family] | None = None,
    ) -> list[Flow]:
        """Every stream of all processes, and of this one also those without data."""
        declared = self.declared if declared is None else declared
        told = self._observables.tell(seconds)
        flows: dict[str, Flow] = {}
        instruments = list(self._instruments())
        for instrument in (*instruments, *self._foreigners(reading, instruments)):
            for stream in self._streams_of(resolver or self._page, instrument):
                name = stream.layout.name
                if name not in flows:
                    family = declared.get(stream.identity.name)
                    flows[name] = flow_of_stream(stream, reading, told.get(name, {}), family)
        return list(flows.values())

    # How.

    # No lock of ours is held while the store's is taken: a finaliser may measure while the store holds it.

    def _routes_of(self, instrument: Any) -> tuple[Recorder, ...]:
        known = self._routes  # replaced when a reader comes: what is found for fewer readers stays out of it
        routes = known.get(instrument)
        if routes is None:
            recorders: dict[str, Recorder] = {}
            try:
                for resolver in list(self._resolvers.values()):
                    for stream in self._streams_of(resolver, instrument):
                        recorders[stream.layout.name] = self._recorder(stream)
            finally:
                # Also where it failed: what cannot be recorded is not tried again at every measurement.
                routes = known[instrument] = tuple(recorders.values())
        return routes

    def _recorder(self, stream: Stream) -> Recorder:
        name, limits = stream.layout.name, self._limits
        recorder = self._recorders.get(name)
        if recorder is None:
            series = limits.by_name.get(stream.name, limits.series)
            declared = limits.declared.get((stream.identity.scope.name, stream.identity.name), {})
            budgets = {**declared, **limits.labels}
            made = Recorder(stream, self._store, series, budgets, self.config.exemplar_filter)
            recorder = self._recorders.setdefault(name, made)
        return recorder

    def _streams_of(self, resolver: Resolver, instrument: Any) -> tuple[Stream, ...]:
        known = self._streams.get((resolver, instrument))
        if known is None:
            try:
                identity = identify(instrument)
                scope = self._observables.scope_of(identity)
                found = [
                    stream_of(identity, match, scope, exemplars=self._exemplars)
                    for match in resolver.matches(instrument)
                ]
            except Exception as error:  # noqa: BLE001 - a View with impossible boundaries, for one
                found = []
                self._report(f"instrument {instrument.name!r}", error)
            known = self._streams[resolver, instrument] = tuple(filter(None, found))
        return known

    def _foreigners(self, reading: Reading, instruments: Iterable[Instrument]) -> list[Instrument]:
        """Stand-ins for instruments that only other processes have created, told by the names of their tables."""
        wanted: dict[Identity, None] = {}
        for name in reading.tables:
            if name.startswith(PREFIX):
                if name not in self._identities:
                    try:
                        self._identities[name] = identity_of(name)
                    except ValueError as error:
                        self._identities[name] = None
                        self._report(f"record {name!r}", error)
                identity = self._identities[name]
                if identity is not None:
                    wanted[identity] = None
        for instrument in instruments:
            wanted.pop(identify(instrument), None)
        return [self._stand_ins.get(identity) or self._stand_in(identity) for identity in wanted]

    def _stand_in(self, identity: Identity) -> Instrument:
        made = make_instrument(
            identity.kind,
            identity.name,
            identity.scope,
            self,
            identity.unit,
            identity.description,
            identity.advisory,
        )
        return self._stand_ins.setdefault(identity, made)

    def _report(self, what: str, error: Exception) -> None:
        self._dropped.add(("sdk",))
        if what not in self._failed:
            self._failed.add(what)
            _logger.error("telemetry: %s failed and is skipped; logged once: %r", what, error)


def _nothing(reading: Reading) -> tuple[FamilySamples, ...]:
    return ()
