"""What a delta reader gets when series end, processes end, or the counts begin anew."""

from __future__ import annotations

import math
from typing import Any

import pytest
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


class TestBaseline:
    def test_another_process_goes_on_from_what_was_dumped(self) -> None:
        one, other = Deltas("Counter", Shape.SUM), Deltas("Counter", Shape.SUM)
        numbers: Key = (("a", "1", "json"),)
        assert one.of({X: [5.0], numbers: [1.0]}) == {"x": 5, "1": 1}
        other.baseline.load(one.baseline.dump())
        assert other.of({X: [7.0], numbers: [4.0]}) == {"x": 2, "1": 3}
        assert other.of({X: [8.0]}, generation=2, start=2.0) == {"x": 8}

    def test_extremes_that_are_not_there_yet_survive(self) -> None:
        one, other = (Deltas("Histogram", Shape.HISTOGRAM, edges=(1.0,), min_max=True) for _ in range(2))
        one.of({X: [0.0, 0.0, 0.0, math.inf, -math.inf]})
        other.baseline.load(one.baseline.dump())
        assert other.of({X: [1.0, 0.0, 0.5, 0.5, 0.5]}) == {"x": (1, 0)}

    @pytest.mark.parametrize(
        "dumped", [b"", b"[", b"{}", b"[1, 2, 3]", b"[null, 0, {}]", b'[[1, "a"], 0, {"id": [[]]}]']
    )
    def test_what_nobody_dumped_is_refused(self, dumped: bytes) -> None:
        deltas = Deltas("Counter", Shape.SUM)
        deltas.of({X: [5.0]})
        with pytest.raises(ValueError, match="is not a baseline"):
            deltas.baseline.load(dumped)
        assert deltas.of({X: [7.0]}) == {"x": 2}

    def test_it_goes_back_to_a_snapshot(self) -> None:
        deltas = Deltas("Counter", Shape.SUM)
        deltas.of({X: [5.0]})
        before = deltas.baseline.snapshot()
        assert deltas.of({X: [7.0], Y: [1.0]}) == {"x": 2, "y": 1}
        deltas.baseline.restore(before)
        assert deltas.of({X: [9.0], Y: [1.0]}) == {"x": 4, "y": 1}
