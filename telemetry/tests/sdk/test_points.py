"""What a delta reader gets when series end, processes end, or the counts begin anew."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics import Counter, Histogram, ObservableCounter, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from telemetry.samples import Key, Reading
from telemetry.sdk.flows import Flow
from telemetry.sdk.points import Baseline, metrics_data
from telemetry.sdk.streams import Shape
from telemetry.tests.sdk.compare import plain

X: Key = (("a", "x"),)
Y: Key = (("a", "y"),)


class Deltas:
    """One reader's view of a flow whose series the test gives."""

    def __init__(self, kind: str, shape: Shape, **more: Any) -> None:
        self.kind, self.shape, self.more = kind, shape, more
        kinds: list[type] = [Counter, Histogram, ObservableCounter, UpDownCounter]
        self.reader = InMemoryMetricReader(dict.fromkeys(kinds, AggregationTemporality.DELTA))
        self.baseline = Baseline()

    def of(self, series: dict[Key, list[float]], generation: int = 1, start: float = 1.0) -> dict[str, Any]:
        flow = Flow("id", InstrumentationScope("s"), self.kind, "name", "", "", self.shape, dict(series), **self.more)
        reading = Reading(generation, start, f"generation {generation}", {})
        data = metrics_data([flow], reading, self.reader, self.baseline, Resource({}))
        found = {}
        for points in plain(data).values():
            for ((_, (_, value)),), point in points.items():
                found[value] = point.get("value", point.get("bucket_counts"))
        return found


class TestDeltas:
    def test_the_share_of_a_process_that_ended_is_taken_back(self) -> None:
        deltas = Deltas("UpDownCounter", Shape.SUM)
        assert deltas.of({X: [5.0], Y: [2.0]}) == {"x": 5, "y": 2}
        assert deltas.of({X: [3.0]}) == {"x": -2, "y": -2}
        assert deltas.of({X: [3.0]}) == {}
        assert deltas.of({X: [3.0], Y: [1.0]}) == {"y": 1}

    def test_a_counter_that_fell_began_anew(self) -> None:
        deltas = Deltas("Counter", Shape.SUM)
        assert deltas.of({X: [5.0]}) == {"x": 5}
        assert deltas.of({X: [3.0]}) == {"x": 3}
        assert deltas.of({X: [7.0]}) == {"x": 4}

    def test_a_histogram_that_fell_began_anew(self) -> None:
        deltas = Deltas("Histogram", Shape.HISTOGRAM, edges=(1.0,))
        assert deltas.of({X: [2.0, 3.0, 9.0]}) == {"x": (2, 3)}
        assert deltas.of({X: [1.0, 4.0, 9.0]}) == {"x": (1, 4)}
        assert deltas.of({X: [1.0, 5.0, 11.0]}) == {"x": (0, 1)}

    def test_another_generation_begins_anew(self) -> None:
        deltas = Deltas("Counter", Shape.SUM)
        assert deltas.of({X: [5.0]}) == {"x": 5}
        assert deltas.of({X: [7.0]}, generation=2, start=2.0) == {"x": 7}
        assert deltas.of({X: [8.0]}, generation=2, start=2.0) == {"x": 1}
