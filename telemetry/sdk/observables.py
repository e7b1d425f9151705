"""Observable instruments: whose value they tell, when they are asked, and what is kept where they fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic

from opentelemetry.metrics import CallbackOptions, Instrument

from telemetry.errors import ConfigurationError
from telemetry.samples import Key
from telemetry.sdk._fork import ForkLock
from telemetry.sdk._private import ask
from telemetry.sdk.recorder import Recorder
from telemetry.sdk.streams import Identity, Scope, Shape, identify

WAIT = 1.0
"""Seconds that a collection waits for the callbacks of another before it shows their last answers."""
SECONDS = 3.0
"""Seconds after which a collection starts no further callback and shows the last answers of the rest."""

Told = dict[str, dict[Key, float]]
"""What callbacks told, by the name of the layout."""


class Observables:
    """Asks the callbacks, one collection at a time, the quick ones first.

    A callback runs in the collecting thread. One that hangs holds up that collection only; all others go
    on with the last answers.

    Args:
        scopes: "service" or "process" by the name of an instrument; the default is the service for gauges
            and the process for counters and up-down counters.
        routes: gives the recorders of an instrument.
        report: is told what failed.

    Raises:
        ConfigurationError: a scope is neither.
    """

    def __init__(
        self,
        scopes: Mapping[str, str],
        routes: Callable[[Instrument], tuple[Recorder, ...]],
        report: Callable[[str, Exception], None],
    ) -> None:
        self._scopes = _checked(scopes)
        self._routes = routes
        self._report = report
        self._instruments: dict[Scope, list[Instrument]] = {scope: [] for scope in Scope}
        self._seconds: dict[Instrument, float] = {}
        self._last: Told = {}
        self._asking = ForkLock()

    def scope_of(self, identity: Identity) -> Scope:
        """Whose value an instrument tells."""
        default = Scope.SERVICE if identity.kind == "ObservableGauge" else Scope.PROCESS
        return self._scopes.get(identity.name, default)

    def add(self, instrument: Instrument) -> None:
        """Ask this instrument from now on."""
        self._instruments[self.scope_of(identify(instrument))].append(instrument)

    def tell(self, seconds: float = SECONDS) -> Told:
        """What the instruments of service scope tell."""
        return self._ask(Scope.SERVICE, seconds)

    def publish(self, seconds: float = SECONDS) -> None:
        """Store what the instruments of process scope tell."""
        self._ask(Scope.PROCESS, seconds)

    def _ask(self, scope: Scope, seconds: float) -> Told:
        instruments = sorted(self._instruments[scope], key=lambda item: self._seconds.get(item, 0.0))
        told: Told = {}
        if not instruments:
            return told
        if not self._asking.acquire(timeout=min(WAIT, seconds)):
            return self._last
        try:
            deadline = monotonic() + seconds
            for instrument in instruments:
                began = monotonic()
                recorders = self._routes(instrument)
                answers: Told = {recorder.stream.layout.name: {} for recorder in recorders}
                if began < deadline:
                    try:
                        self._tell(instrument, recorders, CallbackOptions((deadline - began) * 1000), answers)
                    except Exception as error:  # noqa: BLE001 - one callback must not spoil the others
                        self._report(f"instrument {identify(instrument).name!r}", error)
                    self._seconds[instrument] = monotonic() - began
                    if scope is Scope.PROCESS:
                        self._publish(recorders, answers)
                else:
                    late = TimeoutError(f"not asked: callbacks before it took {seconds:.0f} s")
                    self._report(f"instrument {identify(instrument).name!r}", late)
                    answers = {name: self._last.get(name, {}) for name in answers}
                told.update(answers)
            self._last = {**self._last, **told}
            return told
        finally:
            self._asking.release()

    def _tell(
        self, instrument: Instrument, recorders: tuple[Recorder, ...], options: CallbackOptions, answers: Told
    ) -> None:
        for measurement in ask(instrument, options):
            for recorder in recorders:
                values = answers[recorder.stream.layout.name]
                key = recorder.key(measurement)
                before = values.get(key, 0.0) if recorder.stream.shape is Shape.SUM else 0.0
                values[key] = before + measurement.value

    def _publish(self, recorders: tuple[Recorder, ...], answers: Told) -> None:
        for recorder in recorders:
            name = recorder.stream.layout.name
            values = answers[name]
            last = self._last.get(name, {})
            if not values:
                answers[name] = last  # it failed, rather than that there is nothing left
            elif not recorder.stream.identity.monotonic:
                # What is no longer told has no share left. A counter's total stays: it may not fall.
                values.update(dict.fromkeys(last.keys() - values.keys(), 0.0))
            recorder.publish(values)


def _checked(scopes: Mapping[str, str]) -> dict[str, Scope]:
    checked = {}
    for name, scope in scopes.items():
        try:
            checked[name.lower()] = Scope(scope)
        except ValueError:
            valid = " or ".join(repr(str(scope)) for scope in Scope)
            raise ConfigurationError(f"scope of instrument {name!r}: {scope!r} is not valid; give {valid}") from None
    return checked
