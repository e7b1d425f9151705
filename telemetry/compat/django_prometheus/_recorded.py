"""Metrics with the face of prometheus_client that record in the shared store: exact under any number of processes.

They are subclasses of prometheus_client's own, so that `labels`, `inc`, `time`, `count_exceptions`, `isinstance` and
the errors of a wrong call are what they were. They stand in no registry: the page and the readers get their series
with all others. Exemplars are taken and forgotten. A series that was counted stays: `remove` and `clear` forget only
the children of this process.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any, Self

import prometheus_client
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from telemetry.catalogue.by_hand import by_hand
from telemetry.compat.django_prometheus import _home
from telemetry.compat.django_prometheus.conf import NAMESPACE
from telemetry.limit import SeriesLimit
from telemetry.samples import HistogramValue, Key
from telemetry.spec import OVERFLOW, Family, FamilyType, Kind, Layout, Projection, Source

_LONGEST = 256
"""Characters of a label value; what is beyond is cut off."""


class Recorded(MetricWrapperBase):
    """What the kinds share, before prometheus_client's class among the bases."""

    _kind: Kind

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Iterable[str] = (),
        namespace: str = "",
        subsystem: str = "",
        unit: str = "",
        registry: object = None,
        layout: Layout | None = None,
        **kwargs: Any,
    ) -> None:
        """As prometheus_client's; `registry` changes nothing, `layout` is the record of a built-in family."""
        super().__init__(name, documentation, labelnames, namespace, subsystem, unit, None, **kwargs)
        full = f"{self._name}_total" if self._type == "counter" else self._name
        self.family = Family(full, FamilyType(str(self._type)), documentation, self._labelnames, self._edges)
        self._limit: SeriesLimit | None = None
        self._making = Lock()
        if layout is None:
            self.replace()
        else:
            self.layout = layout

    @property
    def _edges(self) -> tuple[float, ...]:
        return ()

    @property
    def _children(self) -> dict[tuple[str, ...], Any]:
        children: dict[Any, Any] = self._metrics
        return children

    def replace(self) -> None:
        """Have a record of its own from now on, and be on the page instead of the built-in family of its name.

        Raises:
            SpecError: this process has another of that name, with other labels or buckets.
        """
        self.layout = Layout(f"custom.{self.family.name}", self._kind, self._labelnames, self._edges)
        _home.home.show(self.layout, self.family.name, self._projection)
        self._metrics = {}

    def labels(self, *labelvalues: object, **labelkwargs: object) -> Self:
        """The child for these label values; beyond the limit of series, the one that stands for all others."""
        if labelkwargs and not labelvalues and not self._labelvalues and labelkwargs.keys() == set(self._labelnames):
            key = tuple([str(labelkwargs[name]) for name in self._labelnames])
        elif labelvalues and not labelkwargs and not self._labelvalues and len(labelvalues) == len(self._labelnames):
            key = tuple(map(str, labelvalues))
        else:
            super().labels(*labelvalues, **labelkwargs)  # raises and says why
            raise ValueError(f"{self._name}: wrong labels")
        child: Self | None = self._children.get(key)
        return self._child(key) if child is None else child

    def _child(self, given: tuple[str, ...]) -> Self:
        key = tuple(value[:_LONGEST].encode("utf-8", "replace").decode() for value in given)
        with self._making:
            if self._limit is None:
                self._limit = SeriesLimit(_home.home.series_limit, labels=self._labelnames)
            admitted = tuple(map(str, self._limit.admit(key)))
            child: Self | None = self._children.get(admitted)
            if child is None:
                child = copy.copy(self)
                child._labelvalues = admitted
                child._metric_init()
                self._children[admitted] = child
        if admitted != key and OVERFLOW in admitted:
            _home.home.overflowed(self.layout.name)
        return child

    def _metric_init(self) -> None:
        self._value = _Cell(self)

    def _projection(self) -> Projection:
        """This family by itself, as prometheus_client would show it: a child that was asked for stands at 0."""
        return Projection(self.family, self._sources(), tuple(self._children) if self._labelnames else ())

    def _sources(self) -> tuple[Source, ...]:
        return (Source(self.layout),)

    def _samples(self) -> Iterator[Sample]:
        """What is on the page, of all processes."""
        mine = dict(zip(self._labelnames, self._labelvalues, strict=False))
        for labels, value in _home.home.family(self._projection()).series:
            shown = dict(labels)
            if mine and shown != mine:
                continue
            yield from self._lines({} if mine else shown, value)

    def _lines(self, labels: dict[str, str], value: float | HistogramValue) -> Iterator[Sample]:
        if not isinstance(value, HistogramValue):
            yield Sample("_total" if self._type == "counter" else "", labels, value)
            return
        if self._type == "histogram":
            running = 0.0
            for edge, count in zip((*self._edges, float("inf")), value.counts, strict=True):
                running += count
                yield Sample("_bucket", {**labels, "le": str(floatToGoString(edge))}, running)  # type: ignore[no-untyped-call]
        yield Sample("_count", labels, value.count)
        yield Sample("_sum", labels, value.sum)


class _Cell:
    """One series, in the shape that prometheus_client's metrics want of their values. Recording never raises."""

    __slots__ = ("_key", "_metric")

    def __init__(self, metric: Recorded) -> None:
        self._metric = metric
        self._key: Key = metric._labelvalues

    def inc(self, amount: float) -> None:
        try:
            _home.home.table(self._metric.layout).add(self._key, amount)
        except Exception as exc:  # noqa: BLE001
            _home.home.failed("compat.inc", exc)

    def set(self, value: float, timestamp: float | None = None) -> None:
        """What this process has counted is `value` from now on."""
        try:
            _home.home.table(self._metric.layout).put(self._key, value)
        except Exception as exc:  # noqa: BLE001
            _home.home.failed("compat.set", exc)

    def get(self) -> float:
        """The value on the page, of all processes."""
        return next((sample.value for sample in self._metric._samples()), 0.0)

    def set_exemplar(self, exemplar: object) -> None:
        pass

    def get_exemplar(self) -> None:
        return None


class Counter(Recorded, prometheus_client.Counter):
    """As `prometheus_client.Counter`; the sum over all processes, the dead included."""

    _kind = Kind.SUM


class Histogram(Recorded, prometheus_client.Histogram):
    """As `prometheus_client.Histogram`; the sum over all processes, the dead included."""

    _kind = Kind.HISTOGRAM

    @property
    def _edges(self) -> tuple[float, ...]:
        return tuple(self._upper_bounds[:-1])

    def observe(self, amount: float, exemplar: object = None) -> None:
        """Count one observation."""
        self._raise_if_not_observable()  # type: ignore[no-untyped-call]
        try:
            _home.home.table(self.layout).observe(self._labelvalues, amount)
        except Exception as exc:  # noqa: BLE001
            _home.home.failed("compat.observe", exc)


class _Level(_Cell):
    """A gauge: the value that any process set last, and what the living have added since."""

    __slots__ = ()

    def inc(self, amount: float) -> None:
        try:
            _home.home.table(_moved(self._metric.layout)).add(self._key, amount)
        except Exception as exc:  # noqa: BLE001
            _home.home.failed("compat.inc", exc)

    def set(self, value: float, timestamp: float | None = None) -> None:
        try:
            _home.home.table(self._metric.layout).set(self._key, value, timestamp)
            _home.home.table(_moved(self._metric.layout)).put(self._key, 0.0)
        except Exception as exc:  # noqa: BLE001
            _home.home.failed("compat.set", exc)


class Gauge(Recorded, prometheus_client.Gauge):
    """As `prometheus_client.Gauge`: what was set last, by any process, and what the living have added to it.

    `multiprocess_mode` changes nothing.
    """

    _kind = Kind.LAST

    def _metric_init(self) -> None:
        self._value = _Level(self)

    def _sources(self) -> tuple[Source, ...]:
        return (Source(self.layout), Source(_moved(self.layout)))

    def set_function(self, f: object) -> None:
        """Refused: a scrape may be answered by another process than the one that has the function.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            f"{self._name}: set_function() works in one process only; use an observable gauge of OpenTelemetry "
            "or a prometheus_client.Gauge"
        )


def counter(family: Family) -> Counter:
    """What code adds to a built-in counter by hand; `family` as in the catalogue, without a namespace.

    Raises:
        SpecError: the family is no counter and no histogram.
    """
    return Counter(family.name, family.help, family.labels, NAMESPACE, layout=by_hand(family))


def histogram(family: Family) -> Histogram:
    """What code adds to a built-in histogram by hand; `family` as in the catalogue, without a namespace.

    Raises:
        SpecError: the family is no counter and no histogram.
    """
    return Histogram(family.name, family.help, family.labels, NAMESPACE, buckets=family.buckets, layout=by_hand(family))


def _moved(layout: Layout) -> Layout:
    return Layout(f"{layout.name}.moved", Kind.UPDOWN, layout.labels)
