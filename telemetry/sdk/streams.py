"""What is recorded for an instrument: streams, named so that every process gives them the same name."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from enum import StrEnum

from opentelemetry.metrics import Instrument
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from telemetry.sdk._private import INSTRUMENTS, Match, advisory_of
from telemetry.sdk.exponential import edges_of, scale_for
from telemetry.sdk.keys import attributes_of, key_of
from telemetry.spec import Kind, Layout

_logger = logging.getLogger("telemetry")

PREFIX = "otel:"
"""How the names of this package's layouts begin."""


class Scope(StrEnum):
    """Whose value an observable instrument tells."""

    SERVICE = "service"
    """The whole service's: asked in the process that collects, never stored or summed."""
    PROCESS = "process"
    """One process's: published into its segment and summed over processes."""


class Shape(StrEnum):
    """What a stream's points are in OpenTelemetry's data model."""

    SUM = "sum"
    GAUGE = "last"
    HISTOGRAM = "explicit"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True)
class Identity:
    """An instrument as the API identifies it, and the bucket boundaries that were advised for it."""

    scope: InstrumentationScope
    kind: str
    name: str
    unit: str
    description: str
    advisory: tuple[float, ...] | None = None

    @property
    def monotonic(self) -> bool:
        """Whether sums of it only rise."""
        return self.kind in ("Counter", "ObservableCounter")

    @property
    def observable(self) -> bool:
        """Whether a callback tells its values."""
        return self.kind.startswith("Observable")


@dataclass(frozen=True, slots=True)
class Stream:
    """One instrument seen through one View: what is recorded, under which layout, and how it is shown.

    `keys` are the attributes kept, None for all. `stored` is false for observables of service scope.
    """

    identity: Identity
    name: str
    description: str
    shape: Shape
    layout: Layout
    keys: frozenset[str] | None = None
    stored: bool = True
    scale: int = 0
    max_size: int = 0


def identify(instrument: Instrument) -> Identity:
    """The identity of one of the SDK's instruments.

    Raises:
        TypeError: it is not one of the SDK's.
    """
    for kind, cls in INSTRUMENTS.items():
        if isinstance(instrument, cls):
            return Identity(
                scope=instrument.instrumentation_scope,
                kind=kind,
                name=instrument.name,
                unit=instrument.unit,
                description=instrument.description,
                advisory=advisory_of(instrument),
            )
    raise TypeError(f"instrument {instrument!r} is not one of the SDK's {', '.join(INSTRUMENTS)}")


def stream_of(identity: Identity, match: Match, scope: Scope, *, exemplars: bool) -> Stream | None:
    """The stream of one match, None where nothing is to be recorded."""
    histogram = match.aggregation in ("explicit", "exponential")
    if match.aggregation == "drop" or (histogram and identity.observable):
        return None
    if match.aggregation == "exponential" and identity.kind not in ("Histogram", "Counter"):
        _logger.warning(
            "%s %r records negative values too, which exponential histograms of several processes cannot hold; "
            "it gets explicit buckets",
            identity.kind,
            identity.name,
        )
        match = replace(match, aggregation="explicit", edges=DEFAULT_EDGES)
    shape = Shape(match.aggregation)
    scale = scale_for(match.max_scale) if shape is Shape.EXPONENTIAL else 0
    edges = edges_of(scale) if shape is Shape.EXPONENTIAL else match.edges
    what = {
        Shape.SUM: "sum",
        Shape.GAUGE: "last",
        Shape.HISTOGRAM: f"explicit {_digest(edges)} {match.min_max}",
        Shape.EXPONENTIAL: f"exponential {scale} {match.min_max}",
    }[shape]
    return Stream(
        identity=identity,
        name=match.name,
        description=match.description,
        shape=shape,
        layout=Layout(
            name=_name(identity, match, what),
            kind=_kind(identity, shape),
            edges=edges,
            min_max=histogram and match.min_max,
            exemplars=exemplars and shape is Shape.HISTOGRAM,
        ),
        keys=match.keys,
        stored=not identity.observable or scope is Scope.PROCESS,
        scale=scale,
        max_size=match.max_size,
    )


DEFAULT_EDGES = (0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10000.0)
"""https://opentelemetry.io/docs/specs/otel/metrics/sdk/#explicit-bucket-histogram-aggregation"""


def _kind(identity: Identity, shape: Shape) -> Kind:
    if shape in (Shape.HISTOGRAM, Shape.EXPONENTIAL):
        return Kind.HISTOGRAM
    if shape is Shape.GAUGE and not identity.observable:
        return Kind.LAST
    rising = identity.monotonic or identity.kind == "Histogram"
    return Kind.SUM if rising and shape is Shape.SUM else Kind.UPDOWN


def _name(identity: Identity, match: Match, what: str) -> str:
    """Tells all that another process needs to show the stream without having created its instrument."""
    scope = identity.scope
    attributes = key_of(scope.attributes or {})
    keys = None if match.keys is None else sorted(match.keys)
    # The View's name is part of it, so that two Views on one instrument are two records.
    fields = (
        (scope.name, scope.version, scope.schema_url, attributes),
        (identity.kind, identity.name, identity.unit, identity.description, identity.advisory),
        (match.view_name, keys, what),
    )
    return PREFIX + json.dumps(fields, separators=(",", ":"))


def identity_of(name: str) -> Identity:
    """The identity of the instrument that a layout of this name was made for.

    Raises:
        ValueError: the name was not made by this package, or by another version of it.
    """
    try:
        scope, instrument, _ = json.loads(name.removeprefix(PREFIX))
        scope_name, version, schema_url, attributes = scope
        kind, instrument_name, unit, description, advisory = instrument
        return Identity(
            scope=InstrumentationScope(
                scope_name, version, schema_url, attributes_of(tuple(tuple(part) for part in attributes)) or None
            ),
            kind=str(kind),
            name=str(instrument_name),
            unit=str(unit),
            description=str(description),
            advisory=None if advisory is None else tuple(advisory),
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"layout {name!r}: not a name that this version gives to a stream") from error


def _digest(edges: tuple[float, ...]) -> str:
    return hashlib.sha256(repr(edges).encode()).hexdigest()[:8]
