"""The place where the SDK's measurements are aggregated: the shared store instead of one process's memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic

from opentelemetry.metrics import CallbackOptions, Instrument
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter
from opentelemetry.sdk.metrics.export import MetricReader, MetricsData

from telemetry.errors import ConfigurationError
from telemetry.limit import SERIES
from telemetry.samples import FamilySamples, Key, Reading
from telemetry.sdk._fork import ForkLock
from telemetry.sdk._private import Measurement, MeasurementConsumer, Resolver, SdkConfiguration, ask, make_instrument
from telemetry.sdk.flows import Flow, flow_of_family, flow_of_stream
from telemetry.sdk.points import Baseline, metrics_data
from telemetry.sdk.recorder import Recorder
from telemetry.sdk.streams import PREFIX, Identity, Scope, Shape, Stream, identify, identity_of, stream_of
from telemetry.spec import Family
from telemetry.store.base import Store

_logger = logging.getLogger("telemetry")

WAIT = 1.0
"""Seconds that a collection waits for another one's callbacks before it shows their last values."""
CALLBACKS = 5.0
"""Seconds after which a collection starts no further callback."""

Extra = Callable[[Reading], Iterable[FamilySamples]]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many series a stream may have in one process; beyond, values become `OVERFLOW`.

    `series` counts for every stream, `by_name` for the streams of that name, `labels` budgets the
    distinct values of an attribute in any stream.
    """

    series: int = SERIES
    by_name: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Reader:
    resolver: Resolver
    baseline: Baseline


class StoreConsumer(MeasurementConsumer):
    """Records every measurement into the store, and gives readers what all processes recorded.

    No error reaches the code that measures: it is logged, once for each instrument.

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
        self._instruments = instruments
        self._exemplars = not isinstance(config.exemplar_filter, AlwaysOffExemplarFilter)
        self._store = store
        self._limits = limits or Limits()
        self._scopes = _checked(scopes or {})
        self._extra = extra
        self._lock = ForkLock()
        self._asking = ForkLock()
        self._page = Resolver(config)
        self._resolvers = {self._page.signature: self._page}
        self._readers: dict[MetricReader, _Reader] = {}
        self._streams: dict[tuple[int, Instrument], tuple[Stream, ...]] = {}
        self._recorders: dict[str, Recorder] = {}
        self._routes: dict[Instrument, tuple[Recorder, ...]] = {}
        self._observables: dict[Scope, list[Instrument]] = {scope: [] for scope in Scope}
        self._told: dict[str, dict[Key, float]] = {}
        self._identities: dict[str, Identity | None] = {}
        self._stand_ins: dict[Identity, Instrument] = {}
        self._failed: set[str] = set()
        for reader in readers:
            self.add_metric_reader(reader)

    # What the SDK calls.

    def consume_measurement(self, measurement: Measurement) -> None:
        """Record a measurement of a synchronous instrument; never raises."""
        try:
            routes = self._routes.get(measurement.instrument)  # type: ignore[call-overload]
            if routes is None:
                routes = self._route(measurement.instrument)  # type: ignore[arg-type]
            for recorder in routes:
                recorder.record(measurement)
        except Exception as error:  # noqa: BLE001 - whatever it is, the host goes on
            self._report(f"instrument {measurement.instrument.name!r}", error)

    def register_asynchronous_instrument(self, instrument: Instrument) -> None:
        """Ask this instrument's callbacks at collections from now on."""
        with self._lock:
            self._observables[self._scope(identify(instrument))].append(instrument)

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
        if state is None:
            return None
        try:
            seconds = min(CALLBACKS, timeout_millis / 1000)
            self.publish(seconds)
            reading = self._store.read()
            empty = bool(getattr(metric_reader, "shows_empty", False))
            flows = self.flows(reading, state.resolver, seconds)
            flows += [flow for samples in (self._extra or _nothing)(reading) if (flow := flow_of_family(samples))]
            return metrics_data(flows, reading, metric_reader, state.baseline, self.config.resource, empty=empty)
        except Exception as error:  # noqa: BLE001 - a periodic reader's thread would end for good
            self._report(f"reader {type(metric_reader).__name__}", error)
            return None

    # What the runtime and the families call.

    def publish(self, seconds: float = CALLBACKS) -> None:
        """Ask the observables of process scope and store what they tell; starts no callback after `seconds`."""
        for layout, values in self._ask(Scope.PROCESS, seconds).items():
            self._recorders[layout].publish(values)

    def flows(self, reading: Reading, resolver: Resolver | None = None, seconds: float = CALLBACKS) -> list[Flow]:
        """Every stream of all processes, and of this one also those without data."""
        told = self._ask(Scope.SERVICE, seconds)
        flows: dict[str, Flow] = {}
        instruments = list(self._instruments())
        for instrument in (*instruments, *self._foreigners(reading, instruments)):
            for stream in self._streams_of(resolver or self._page, instrument):
                name = stream.layout.name
                if name not in flows:
                    declared = self.declared.get(stream.identity.name)
                    flows[name] = flow_of_stream(stream, reading, told.get(name, {}), declared)
        return list(flows.values())

    # How.

    def _route(self, instrument: Instrument) -> tuple[Recorder, ...]:
        with self._lock:
            recorders: dict[str, Recorder] = {}
            for resolver in self._resolvers.values():
                for stream in self._streams_of(resolver, instrument):
                    recorders[stream.layout.name] = self._recorder(stream)
            self._routes[instrument] = tuple(recorders.values())
            return self._routes[instrument]

    def _recorder(self, stream: Stream) -> Recorder:
        recorder = self._recorders.get(stream.layout.name)
        if recorder is None:
            limits = self._limits
            recorder = self._recorders[stream.layout.name] = Recorder(
                stream,
                self._store,
                limits.by_name.get(stream.name, limits.series),
                limits.labels,
                self.config.exemplar_filter,
            )
        return recorder

    def _streams_of(self, resolver: Resolver, instrument: Instrument) -> tuple[Stream, ...]:
        known = self._streams.get((id(resolver), instrument))
        if known is None:
            with self._lock:
                identity = identify(instrument)
                scope = self._scope(identity)
                found = (
                    stream_of(identity, match, scope, exemplars=self._exemplars)
                    for match in resolver.matches(instrument)
                )
                known = self._streams[id(resolver), instrument] = tuple(filter(None, found))
        return known

    def _scope(self, identity: Identity) -> Scope:
        default = Scope.SERVICE if identity.kind == "ObservableGauge" else Scope.PROCESS
        return self._scopes.get(identity.name, default)

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
        for identity in wanted:
            if identity not in self._stand_ins:
                self._stand_ins[identity] = make_instrument(
                    identity.kind,
                    identity.name,
                    identity.scope,
                    self,
                    identity.unit,
                    identity.description,
                    identity.advisory,
                )
        return [self._stand_ins[identity] for identity in wanted]

    def _ask(self, scope: Scope, seconds: float) -> dict[str, dict[Key, float]]:
        """What the callbacks of one scope tell, by layout. Where others still ask: what was told last."""
        wanted = list(self._observables[scope])
        if not wanted or not self._asking.acquire(timeout=min(WAIT, seconds)):
            return dict(self._told) if wanted and scope is Scope.SERVICE else {}
        try:
            deadline = monotonic() + seconds
            told: dict[str, dict[Key, float]] = {}
            for instrument in wanted:
                left = deadline - monotonic()
                if left <= 0:
                    self._report("observable instruments", TimeoutError(f"callbacks took more than {seconds:.0f} s"))
                    break
                try:
                    self._tell(instrument, CallbackOptions(timeout_millis=left * 1000), told)
                except Exception as error:  # noqa: BLE001 - one callback must not spoil the others
                    self._report(f"instrument {instrument!r}", error)
            if scope is Scope.PROCESS:
                for layout, values in told.items():
                    # A series that is no longer told has no share; only a sum's total stays.
                    gone = self._told.get(layout, {}).keys() - values.keys()
                    if values and not self._recorders[layout].stream.identity.monotonic:
                        values.update(dict.fromkeys(gone, 0.0))
            self._told.update(told)
            return told
        finally:
            self._asking.release()

    def _tell(self, instrument: Instrument, options: CallbackOptions, told: dict[str, dict[Key, float]]) -> None:
        routes = self._routes.get(instrument) or self._route(instrument)
        for measurement in ask(instrument, options):
            for recorder in routes:
                values = told.setdefault(recorder.stream.layout.name, {})
                key = recorder.key(measurement)
                if recorder.stream.shape is Shape.SUM:
                    values[key] = values.get(key, 0.0) + measurement.value
                else:
                    values[key] = measurement.value

    def _report(self, what: str, error: Exception) -> None:
        if what not in self._failed:
            self._failed.add(what)
            _logger.error("telemetry: %s failed and is skipped; logged once: %r", what, error)


def _nothing(reading: Reading) -> tuple[FamilySamples, ...]:
    return ()


def _checked(scopes: Mapping[str, str]) -> dict[str, Scope]:
    checked = {}
    for name, scope in scopes.items():
        try:
            checked[name.lower()] = Scope(scope)
        except ValueError:
            raise ConfigurationError(
                f"scope of instrument {name!r}: {scope!r} is not valid; give {' or '.join(map(repr, map(str, Scope)))}"
            ) from None
    return checked
