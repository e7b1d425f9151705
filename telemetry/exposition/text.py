"""The text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from prometheus_client import generate_latest
from prometheus_client.registry import Collector

from telemetry.exposition._encoder import Encoder, escape_help
from telemetry.samples import FamilySamples
from telemetry.spec import Family


class TextEncoder(Encoder):
    """Writes families under their own names; no `_created`, no exemplars, which the format does not know."""

    def _declare(self, families: Mapping[str, FamilySamples], foreign: Set[str]) -> dict[str, tuple[str, str]]:
        return {name: (name, samples.family.type.value) for name, samples in families.items()}

    def _head(self, family: Family, name: str, type_: str) -> str:
        return f"# HELP {name} {escape_help(family.help)}\n# TYPE {name} {type_}\n"

    def _encode(self, collector: Collector) -> bytes:
        return generate_latest(collector)


def render(families: Iterable[FamilySamples]) -> bytes:
    """One page; a `Renderer` does it faster where pages follow each other."""
    return TextEncoder(limit=0).render(families)
