"""Projected families as OpenTelemetry's semantic conventions name them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from telemetry.catalogue.conventions import ATTRIBUTES, CONVENTIONS, NUMBERS
from telemetry.samples import FamilySamples, Key, Labels
from telemetry.sdk.flows import Flow, flow_of_family
from telemetry.sdk.keys import key_of
from telemetry.sdk.streams import Shape


@dataclass(frozen=True, slots=True)
class Conventional:
    """Shows a family to a receiver of OTLP: dotted names and attributes, a unit, no empty attribute.

    A family that no convention names keeps its own name. Those of django-prometheus, with the `namespace`
    that the settings put before them, are left out unless `django_names`.
    """

    django_names: bool = False
    namespace: str = ""

    def __call__(self, samples: FamilySamples) -> Flow | None:
        """The metric; None where it is left out or has no form in OpenTelemetry."""
        name = samples.family.name
        prefix = f"{self.namespace}_django_" if self.namespace else "django_"
        if name.startswith(prefix) and not self.django_names:
            return None
        flow = flow_of_family(samples)
        convention = CONVENTIONS.get(name)
        if flow is None or convention is None:
            return flow
        keys: dict[Key, Key] = {key: _attributes(key) for key in flow.series}  # type: ignore[arg-type]
        return replace(
            flow,
            name=convention.name,
            unit=convention.unit,
            kind=convention.kind,
            shape=Shape.HISTOGRAM if convention.kind == "Histogram" else Shape.SUM,
            series={keys[key]: cells for key, cells in flow.series.items()},
            exemplars={keys[key]: found for key, found in flow.exemplars.items()},
        )


def _attributes(labels: Labels) -> Key:
    """An absent attribute where Prometheus has an empty label."""
    pairs = {ATTRIBUTES.get(label, label): value for label, value in labels if value}
    return key_of({name: int(value) if name in NUMBERS else value for name, value in pairs.items()})
