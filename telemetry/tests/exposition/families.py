"""Random families, and the same as prometheus_client's metrics, whose encoders and parsers are the yardstick."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar as StockExemplar
from prometheus_client.utils import floatToGoString

from telemetry.samples import Exemplar, FamilySamples, HistogramValue, Labels
from telemetry.spec import Family, FamilyType

NASTY = ("", "word", "a b", 'say "no"', "back\\slash", "new\nline", "\\n", "a\tb", "ü€𝄞", "{}", "#", ",", "\x00", "5%s")
EDGES = (0.005, 0.1, 1.0, 2.5, 75.0, 1000.0, 123456.0, 1048576.0, 2.5e7, 1e16, 3e22)
LABELS = ("alias", "le_", "kind", "view", "z")


class Given(Collector):
    """A collector that gives what it was given."""

    def __init__(self, *metrics: Metric) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def some_families(seed: int, *, exemplars: bool = False) -> list[FamilySamples]:
    """Families of every type that OpenMetrics can say too; a third of them without series."""
    rng = random.Random(seed)
    found = []
    for number in range(30):
        type_ = rng.choice((FamilyType.COUNTER, FamilyType.GAUGE, FamilyType.HISTOGRAM, FamilyType.UNTYPED))
        name = f"family_{number}" + ("_total" if type_ is FamilyType.COUNTER else "")
        edges = tuple(sorted(rng.sample(EDGES, rng.randrange(len(EDGES))))) if type_ is FamilyType.HISTOGRAM else ()
        labels = tuple(rng.sample(LABELS, rng.randrange(len(LABELS))))
        family = Family(name, type_, rng.choice(NASTY), labels, edges)
        keys = {tuple(sorted((label, rng.choice(NASTY)) for label in labels)) for _ in range(rng.choice((0, 3, 9)))}
        series = [(key, _value(rng, family, exemplars=exemplars)) for key in sorted(keys)]
        found.append(FamilySamples(family, series, rng.choice((None, 1.7e9, 1700000000.123))))
    return found


def _value(rng: random.Random, family: Family, *, exemplars: bool) -> float | HistogramValue:
    if family.type is FamilyType.HISTOGRAM:
        counts = [float(rng.choice((0, 1, 7, 1e6, 123456789))) for _ in range(len(family.buckets) + 1)]
        marked = {
            bucket: Exemplar(
                rng.random() * 100, 1.7e9 + rng.random(), rng.getrandbits(128) | 1, rng.getrandbits(64) | 1
            )
            for bucket in range(len(counts))
            if exemplars and rng.random() < 0.5
        }
        return HistogramValue(counts, rng.random() * 1e7, marked)
    if family.type is FamilyType.COUNTER:
        return rng.choice((0.0, 1.0, 999999.0, 1e6, 123456789.5, 2.0**53, 1e16, 1.5e300, rng.random()))
    return rng.choice((0.0, -0.0, -1e7, -1e22, math.inf, -math.inf, math.nan, 1e-7, rng.uniform(-1e9, 1e9)))


def as_metric(samples: FamilySamples, *, created: bool) -> Metric:
    """The family as prometheus_client knows it; with `_created` samples if `created`."""
    family = samples.family
    metric = Metric(
        family.name.removesuffix("_total") if family.type is FamilyType.COUNTER else family.name,
        family.help,
        {FamilyType.UNTYPED: "unknown"}.get(family.type, family.type.value),
        family.unit,
    )
    for labels, value in samples.series:
        if isinstance(value, HistogramValue):
            _add_histogram(metric, family.buckets, dict(labels), value)
        else:
            metric.add_sample(family.name, dict(labels), value)
        if created and samples.created is not None and metric.type in ("counter", "histogram"):
            metric.add_sample(f"{metric.name}_created", dict(labels), samples.created)
    return metric


def _add_histogram(metric: Metric, edges: Sequence[float], labels: dict[str, str], value: HistogramValue) -> None:
    counts = list(accumulate(value.counts))
    for bucket, edge in enumerate((*edges, math.inf)):
        exemplar = value.exemplars.get(bucket)
        metric.add_sample(
            f"{metric.name}_bucket",
            {**labels, "le": floatToGoString(edge)},  # type: ignore[no-untyped-call]
            counts[bucket],
            exemplar=exemplar
            and StockExemplar(
                {"trace_id": f"{exemplar.trace_id:032x}", "span_id": f"{exemplar.span_id:016x}"},
                exemplar.value,
                exemplar.time,  # type: ignore[arg-type]
            ),
        )
    metric.add_sample(f"{metric.name}_count", labels, counts[-1])
    metric.add_sample(f"{metric.name}_sum", labels, value.sum)


def gauge(name: str, *series: tuple[Labels, float]) -> FamilySamples:
    return FamilySamples(Family(name, FamilyType.GAUGE, "A gauge."), list(series))


def counter(name: str, *series: tuple[Labels, float], created: float | None = None) -> FamilySamples:
    return FamilySamples(Family(name, FamilyType.COUNTER, "A counter."), list(series), created)
