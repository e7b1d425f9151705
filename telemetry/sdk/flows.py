"""One metric of all processes, on its way to a reader's points or to a family: the shape both are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from telemetry.samples import Exemplar, FamilySamples, HistogramValue, Key, Reading
from telemetry.sdk.streams import Shape, Stream
from telemetry.spec import Family, FamilyType

_OWN = InstrumentationScope("telemetry")


@dataclass(slots=True)
class Flow:
    """A metric's description and its merged series.

    `id` tells it from all others in this process. `kind` is the kind of instrument that readers choose a
    temporality for. `series` holds cells as `Layout.width` tells them, or one cell for a gauge that is
    not stored. `family` is the declared or projected family, where there is one.
    """

    id: str
    scope: InstrumentationScope
    kind: str
    name: str
    unit: str
    description: str
    shape: Shape
    series: dict[Key, list[float]]
    edges: tuple[float, ...] = ()
    min_max: bool = False
    scale: int = 0
    max_size: int = 0
    exemplars: Mapping[Key, Mapping[int, Exemplar]] = field(default_factory=dict)

    @property
    def monotonic(self) -> bool:
        """Whether a sum of it only rises."""
        return self.kind in ("Counter", "ObservableCounter")

    @property
    def observable(self) -> bool:
        """Whether a callback tells its values."""
        return self.kind.startswith("Observable")


def flow_of_stream(stream: Stream, reading: Reading, told: Mapping[Key, float], declared: Family | None) -> Flow:
    """What all processes recorded for a stream; `told` is the answer of an observable of service scope.

    A label-less counter is shown as 0 before its first measurement, if it is declared as one.
    """
    identity, layout = stream.identity, stream.layout
    table = reading.tables.get(layout.name) if stream.stored else None
    if not stream.stored:
        series = {key: [value] for key, value in told.items()}
    else:
        series = {} if table is None else table.series()
    if not series and declared is not None and declared.type is FamilyType.COUNTER and not declared.labels:
        series = {(): [0.0]}
    return Flow(
        id=layout.name,
        scope=identity.scope,
        kind=identity.kind,
        name=stream.name,
        unit=identity.unit,
        description=stream.description,
        shape=stream.shape,
        series=series,
        edges=layout.edges,
        min_max=layout.min_max,
        scale=stream.scale,
        max_size=stream.max_size,
        exemplars={} if table is None else table.exemplars,
    )


def flow_of_family(samples: FamilySamples) -> Flow | None:
    """A projected family as a metric of its final name and without a unit, so that no exporter renames it.

    None for a summary, which the SDK's data model does not have; an untyped family becomes a gauge.
    """
    family = samples.family
    if family.type is FamilyType.SUMMARY:
        return None
    kind, shape = {
        FamilyType.COUNTER: ("Counter", Shape.SUM),
        FamilyType.HISTOGRAM: ("Histogram", Shape.HISTOGRAM),
    }.get(family.type, ("ObservableGauge", Shape.GAUGE))
    series: dict[Key, list[float]] = {}
    exemplars: dict[Key, Mapping[int, Exemplar]] = {}
    for key, value in samples.series:
        if isinstance(value, HistogramValue):
            series[key] = [*value.counts, value.sum]
            exemplars[key] = value.exemplars
        else:
            series[key] = [value]
    return Flow(
        id=family.name,
        scope=_OWN,
        kind=kind,
        name=family.name,
        unit="",
        description=family.help,
        shape=shape,
        series=series,
        edges=family.buckets,
        exemplars=exemplars,
    )
