"""How a business metric is declared: a function whose signature is the labels and whose docstring is the help.

Owner, unit and question stand beside it, buckets where it is a histogram; the series budget follows
from the types of the labels. The declaration is checked when it is made; a recording is checked when
it happens and never raises: what does not fit is dropped, counted in
`telemetry_measurements_dropped_total` and logged once per family and reason.
"""

from __future__ import annotations

import inspect
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Generic, ParamSpec, Unpack, get_type_hints

from opentelemetry import metrics

from telemetry.business._about import About, check_about
from telemetry.business._fit import Label, Reason, Text, Unfit, check_number, shorten
from telemetry.errors import SpecError
from telemetry.limit import SERIES
from telemetry.spec import Family, FamilyType

_P = ParamSpec("_P")
_logger = logging.getLogger("telemetry.business")

SCOPE = "telemetry.business"
"""The instrumentation scope of every business instrument."""
LARGEST_COUNT = 2.0**53
"""The largest amount a counter takes: beyond it a double no longer counts by ones."""


class Measure(ABC, Generic[_P]):
    """One family: its definition, its instrument (made at first use), and the check of what is recorded.

    `name` is the instrument's name, `family` what stands on `/metrics`. `unit` is for readers; the
    instrument carries none, because the exporter would append it to the name. `module` and
    `attribute` say where the declaration is.

    Raises:
        SpecError: the signature is not made of keyword-only labels with bounded types, the help, the
            buckets of a histogram, or the owner, unit or question is missing or wrong, the name has
            not the unit in it, or is taken.
    """

    type: FamilyType
    low, high = 0.0, math.inf

    def __init__(
        self, name: str, labels: Callable[_P, None], buckets: tuple[float, ...] = (), **about: Unpack[About]
    ) -> None:
        if name in _measures:
            raise SpecError(f"business metric {name!r} is declared twice")
        if not labels.__doc__:
            raise SpecError(f"business metric {name!r}: the help is missing; give the function a docstring")
        if self.type is FamilyType.HISTOGRAM and not buckets:
            raise SpecError(f"business metric {name!r}: a histogram needs buckets")
        check_about(name, about)
        self.name, self.owner, self.unit, self.question = name, about["owner"], about["unit"], about["question"]
        self.module, self.attribute = labels.__module__, labels.__name__
        self.labels = _labels(name, labels)
        exposed = f"{name}_total" if self.type is FamilyType.COUNTER else name
        self.family = Family(exposed, self.type, inspect.cleandoc(labels.__doc__), tuple(self.labels), buckets)
        self._record: Callable[[float, dict[str, str]], None] | None = None
        _measures[name] = self

    @property
    def budgets(self) -> dict[str, int]:
        """How many values of each open label have series of their own in one process."""
        return {label.name: label.budget for label in self.labels.values() if not label.values}

    @property
    def series_budget(self) -> int:
        """How many series there may be in one process: what the labels can make, up to `SERIES`.

        Beyond it `__overflow__` stands for the values of a label, and sums stay exact.
        """
        return min(SERIES, math.prod(label.budget for label in self.labels.values()))

    @property
    def registered(self) -> bool:
        """Whether the instrument is made, so that the family shows."""
        return self._record is not None

    def offer(self, value: object, /, *unnamed: object, **labels: object) -> None:
        """Record a value with labels that no type checker has seen; never raises."""
        try:
            number = check_number(value, self.low, self.high)
            if unnamed:
                raise Unfit(
                    Reason.WRONG_LABELS, f"label {shorten(unnamed[0])} has no name; valid: {sorted(self.labels)}"
                )
            if labels.keys() != self.labels.keys():
                raise Unfit(Reason.WRONG_LABELS, f"labels {sorted(labels)}; valid: {sorted(self.labels)}")
            fitting = {name: label.check(labels[name]) for name, label in self.labels.items()}
            (self._record or self.bind())(number, fitting)
        except Unfit as unfit:
            self.drop(unfit.reason, unfit.detail)
        except Exception as error:  # noqa: BLE001
            self.drop(Reason.FAILED, shorten(error))

    def drop(self, reason: Reason, detail: str) -> None:
        """Count a measurement that was not recorded, and log the first of its kind; never raises."""
        try:
            if self is not DROPPED:
                DROPPED.add(family=self.family.name, reason=reason)
            if (self.name, reason) not in _logged:
                _logged.add((self.name, reason))
                _logger.warning("%s: measurement dropped (%s): %s", self.family.name, reason, detail)
        except Exception:  # noqa: BLE001, S110
            pass

    def bind(self, provider: metrics.MeterProvider | None = None) -> Callable[[float, dict[str, str]], None]:
        """Make the instrument; without a provider, the global one's, now or once it is set."""
        self._record = self._create(metrics.get_meter(SCOPE, meter_provider=provider))
        return self._record

    @abstractmethod
    def _create(self, meter: metrics.Meter) -> Callable[[float, dict[str, str]], None]:
        """The recording method of a new instrument of `meter`."""


class Counter(Measure[_P]):
    """A total that only grows."""

    type = FamilyType.COUNTER
    high = LARGEST_COUNT

    def add(self, amount: float = 1, /, *args: _P.args, **labels: _P.kwargs) -> None:
        """Add an amount of at least 0; never raises."""
        self.offer(amount, *args, **labels)

    def _create(self, meter: metrics.Meter) -> Callable[[float, dict[str, str]], None]:
        return meter.create_counter(self.name, description=self.family.help).add


class Histogram(Measure[_P]):
    """A distribution of durations or sizes."""

    type = FamilyType.HISTOGRAM

    def record(self, value: float, /, *args: _P.args, **labels: _P.kwargs) -> None:
        """Record one value in the metric's unit, at least 0; never raises."""
        self.offer(value, *args, **labels)

    def _create(self, meter: metrics.Meter) -> Callable[[float, dict[str, str]], None]:
        return meter.create_histogram(
            self.name, description=self.family.help, explicit_bucket_boundaries_advisory=self.family.buckets
        ).record


class Score(Measure[_P]):
    """A gauge from 0.0 to 1.0 that keeps the value set last."""

    type = FamilyType.GAUGE
    high = 1.0

    def set(self, score: float, /, *args: _P.args, **labels: _P.kwargs) -> None:
        """Set the score, 0.0 to 1.0; never raises."""
        self.offer(score, *args, **labels)

    def _create(self, meter: metrics.Meter) -> Callable[[float, dict[str, str]], None]:
        return meter.create_gauge(self.name, description=self.family.help).set


def counter(name: str, **about: Unpack[About]) -> Callable[[Callable[_P, None]], Counter[_P]]:
    """Declare a counter; `name` is without `_total`, which the exporter adds."""
    return lambda labels: Counter(name, labels, **about)


def histogram(name: str, *buckets: float, **about: Unpack[About]) -> Callable[[Callable[_P, None]], Histogram[_P]]:
    """Declare a histogram; `buckets` are the upper bounds, in its unit, without `+Inf`."""
    edges = tuple(float(bound) for bound in buckets)
    return lambda labels: Histogram(name, labels, edges, **about)


def score(name: str, **about: Unpack[About]) -> Callable[[Callable[_P, None]], Score[_P]]:
    """Declare a gauge from 0.0 to 1.0."""
    return lambda labels: Score(name, labels, **about)


def measures() -> Mapping[str, Measure[Any]]:
    """All declarations, by instrument name."""
    return dict(_measures)


def declared() -> Mapping[str, Family]:
    """The family of every declaration as it stands on `/metrics`, by instrument name."""
    return {name: measure.family for name, measure in _measures.items()}


def budgets() -> Mapping[tuple[str, str], Mapping[str, int]]:
    """How many values of each open label have series of their own in one process, by scope and instrument name."""
    return {(SCOPE, name): measure.budgets for name, measure in _measures.items()}


def register_all(provider: metrics.MeterProvider | None = None) -> None:
    """Make every instrument, so that a family shows before its first value.

    Without a provider the instruments are the global provider's, now or once it is set.
    """
    for measure in _measures.values():
        measure.bind(provider)


def _labels(owner: str, signature: Callable[..., None]) -> dict[str, Label]:
    try:
        hints = get_type_hints(signature, include_extras=True)
    except Exception as error:
        raise SpecError(f"business metric {owner!r}: the types of its labels cannot be read: {error}") from error
    labels = {}
    for name, parameter in inspect.signature(signature).parameters.items():
        if parameter.kind is not parameter.KEYWORD_ONLY or parameter.default is not parameter.empty:
            raise SpecError(f"business metric {owner!r}: label {name!r} must be keyword-only and without a default")
        labels[name] = Label.of(owner, name, hints.get(name))
    return labels


_measures: dict[str, Measure[Any]] = {}
_logged: set[tuple[str, Reason]] = set()


@counter(
    "telemetry_measurements_dropped",
    owner="telemetry",
    unit="{measurement}",
    question="Which business numbers are too low because a caller gave a value that cannot be recorded?",
)
def DROPPED(*, family: Annotated[str, Text(length=128, values=100)], reason: Reason) -> None:
    """Business measurements that were not recorded because a value did not fit."""
