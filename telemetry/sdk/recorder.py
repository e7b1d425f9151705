"""The hot path: one measurement into one stream's table."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.sdk.metrics import ExemplarFilter
from opentelemetry.trace import get_current_span

from telemetry.limit import OVERFLOWED, SeriesLimit
from telemetry.samples import Exemplar, Key
from telemetry.sdk._private import Measurement
from telemetry.sdk.keys import key_of
from telemetry.sdk.streams import Stream
from telemetry.spec import Kind
from telemetry.store.base import Store

_SCALARS = (str, int, float)
_EXACT = frozenset({*_SCALARS, bool})
"""Types whose values are one attribute value if they are equal and of one type."""


class Recorder:
    """Writes the measurements of one stream. Remembers the keys of attribute sets that it has seen."""

    def __init__(
        self, stream: Stream, store: Store, limit: int, budgets: Mapping[str, int], exemplar_filter: ExemplarFilter
    ) -> None:
        self.stream = stream
        self._table = store.table(stream.layout) if stream.stored else None
        self._overflowed = store.table(OVERFLOWED)
        self._limit = SeriesLimit(limit, budgets)
        self._keys = stream.keys
        self._cache: dict[object, Key] = {}
        self._types: dict[tuple[type, ...], tuple[type, ...]] = {}
        self._room = 4 * limit  # other orders of the same attributes are remembered apart
        self._kind = stream.layout.kind
        self._exemplar_filter = exemplar_filter if stream.layout.exemplars else None

    def record(self, measurement: Measurement) -> None:
        """Add one measurement of a synchronous instrument."""
        table = self._table
        if table is None:
            return
        key = self.key(measurement)
        kind = self._kind
        if kind is Kind.HISTOGRAM:
            table.observe(key, measurement.value, self._exemplar(measurement))
        elif kind is Kind.LAST:
            table.set(key, measurement.value, measurement.time_unix_nano / 1e9)
        else:
            table.add(key, measurement.value)

    def publish(self, values: Mapping[Key, float]) -> None:
        """Replace this process's share by what a callback told."""
        if self._table is not None:
            for key, value in values.items():
                self._table.put(key, value)

    def key(self, measurement: Measurement) -> Key:
        """The key under which a measurement counts, after the View's filter and the limits."""
        attributes = measurement.attributes
        if not attributes:
            return ()
        if self._keys is not None:
            attributes = {name: value for name, value in attributes.items() if name in self._keys}
        types = tuple(map(type, attributes.values()))
        if not _EXACT.issuperset(types) and not all(issubclass(each, _SCALARS) for each in types):
            return self._admit(key_of(attributes))[0]
        seen = (types, *attributes.items())
        known = self._cache.get(seen)
        if known is None:
            known, kept = self._admit(key_of(attributes))
            if kept:
                if len(self._cache) >= self._room:
                    self._cache.clear()
                # Built from what is kept anyway: the key's pairs and the types of other series.
                types = self._types.setdefault(types, types)
                self._cache[(types, *known) if seen[1:] == known else (types, *seen[1:])] = known
        return known

    def _admit(self, key: Key) -> tuple[Key, bool]:
        admitted = self._limit.admit(key)
        if admitted is key:
            return key, True
        self._overflowed.add((self.stream.name,))
        return admitted, False

    def _exemplar(self, measurement: Measurement) -> Exemplar | None:
        wanted = self._exemplar_filter
        if wanted is None or not wanted.should_sample(
            measurement.value, measurement.time_unix_nano, measurement.attributes, measurement.context
        ):
            return None
        span = get_current_span(measurement.context).get_span_context()
        return Exemplar(measurement.value, measurement.time_unix_nano / 1e9, span.trace_id, span.span_id)
