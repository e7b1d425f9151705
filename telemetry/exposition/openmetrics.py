"""The OpenMetrics text format 1.0: https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector

from telemetry.exposition._encoder import Encoder, escape, number
from telemetry.samples import Exemplar, FamilySamples
from telemetry.spec import Family, FamilyType

_SUFFIXES = {
    FamilyType.HISTOGRAM: ("_bucket", "_count", "_sum", "_created"),
    FamilyType.SUMMARY: ("_count", "_sum", "_created"),
}


class OpenMetricsEncoder(Encoder):
    """Writes a counter's family without its `_total`, and adds units, `_created` and exemplars.

    A series has the same name in both formats. So a counter whose name lacks `_total`, or whose
    name without it belongs to another family, is of type `unknown` here.
    """

    end = b"# EOF\n"

    def _declare(self, families: Mapping[str, FamilySamples], foreign: Set[str]) -> dict[str, tuple[str, str]]:
        taken = {*families, *foreign}
        for name, samples in families.items():
            taken.update(name + suffix for suffix in _SUFFIXES.get(samples.family.type, ()))
        declared = {}
        for name, samples in families.items():
            type_ = samples.family.type
            base = name.removesuffix("_total")
            if type_ is FamilyType.COUNTER and base and base != name and taken.isdisjoint({base, f"{base}_created"}):
                taken.update({base, f"{base}_created"})
                declared[name] = base, "counter"
            elif type_ in (FamilyType.COUNTER, FamilyType.UNTYPED):
                declared[name] = name, "unknown"
            else:
                declared[name] = name, type_.value
        return declared

    def _head(self, family: Family, name: str, type_: str) -> str:
        head = f"# HELP {name} {escape(family.help)}\n# TYPE {name} {type_}\n"
        if family.unit and name.endswith(f"_{family.unit}"):
            head += f"# UNIT {name} {family.unit}\n"
        return head

    def _shows_totals(self, family: Family) -> bool:
        # Observations below 0 can make the sum fall: the format forbids it then, and a count without a sum.
        return not family.buckets or family.buckets[0] >= 0

    def _created(self, name: str, type_: str, end: str) -> str:
        return f"{name}_created{end}" if type_ in ("counter", "histogram", "summary") else ""

    def _after(self, exemplar: Exemplar) -> str:
        return f" # {_exemplar(exemplar)}"

    def _encode(self, collector: Collector) -> bytes:
        page: bytes = generate_latest(collector)  # type: ignore[no-untyped-call]
        return page.removesuffix(self.end)


def render(families: Iterable[FamilySamples]) -> bytes:
    """One page; a `Renderer` does it faster where pages follow each other."""
    return OpenMetricsEncoder(limit=0).render(families)


def _exemplar(exemplar: Exemplar) -> str:
    """The ids have 63 characters with their labels' names, of the 128 that are allowed."""
    ids = []
    if exemplar.span_id:
        ids.append(f'span_id="{exemplar.span_id:016x}"')
    if exemplar.trace_id:
        ids.append(f'trace_id="{exemplar.trace_id:032x}"')
    return f"{{{','.join(ids)}}} {number(exemplar.value)} {exemplar.time!r}"
