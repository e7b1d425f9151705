"""Exponential histograms: the stock SDK's buckets, at a scale that adds up across processes."""

from __future__ import annotations

import math
import random
from itertools import chain, pairwise
from typing import Any

import pytest
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import Counter, Histogram
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View

from telemetry.sdk.exponential import HIGHEST, LOWEST, SCALE, buckets_of, edges_of, scale_for
from telemetry.tests.sdk.compare import Script, both


def lowered(point: dict[str, Any], scale: int) -> dict[str, Any]:
    """The same point at a lower scale: neighbouring buckets joined."""
    joined: dict[int, int] = {}
    for position, count in enumerate(point["positive"].bucket_counts):
        if count:
            index = (point["positive"].offset + position) >> (point["scale"] - scale)
            joined[index] = joined.get(index, 0) + count
    return {**point, "scale": scale, "positive": joined, "negative": None, "exemplars": None}


def at_one_scale(stock: list[list[Any]], ours: list[list[Any]]) -> tuple[list[Any], list[Any]]:
    """Both at the lower scale of each pair of points."""
    found: tuple[list[Any], list[Any]] = ([], [])
    for theirs, mine in zip(chain(*stock), chain(*ours), strict=True):
        assert theirs.keys() == mine.keys()
        for name, points in theirs.items():
            assert points.keys() == mine[name].keys()
            for key, point in points.items():
                scale = min(point["scale"], mine[name][key]["scale"])
                found[0].append(lowered(point, scale))
                found[1].append(lowered(mine[name][key], scale))
    return found


def recording(values: list[float]) -> Script:
    def script(meter: Meter) -> None:
        instrument = meter.create_histogram("duration", unit="s")
        for index, value in enumerate(values):
            instrument.record(value, {"a": str(index % 2)})

    return script


# Multiples of 2**-20, so that sums are exact in any order.
RANDOM = random.Random(1)
SCRIPTS = {
    "narrow": [1 + RANDOM.randrange(1000) / 1024 for _ in range(500)],
    "wide": [RANDOM.randrange(1, 2**20) / 2**20 * 2 ** RANDOM.randrange(12) for _ in range(500)],
    "powers": [2.0**power for power in range(-20, 25)],
    "zeros": [0, 0, 0, 1, 2],
    "one": [5],
}


class TestExponential:
    @pytest.mark.parametrize("values", SCRIPTS.values(), ids=SCRIPTS)
    @pytest.mark.parametrize("max_size", [160, 20, 2])
    def test_equal_to_the_stock_sdk_at_the_lower_scale(self, values: list[float], max_size: int) -> None:
        views = [View(instrument_name="*", aggregation=ExponentialBucketHistogramAggregation(max_size=max_size))]
        stock, ours = both(recording(values), recording(values[::-1]), views=views)
        expected, actual = at_one_scale(stock, ours)
        assert expected
        assert expected == actual
        for metrics in chain(*ours):
            for points in metrics.values():
                for point in points.values():
                    assert len(point["positive"].bucket_counts) <= max_size

    def test_a_reader_may_ask_for_it_and_another_not(self) -> None:
        preferred: dict[type, Any] = {Histogram: ExponentialBucketHistogramAggregation()}
        delta: dict[type, Any] = {Histogram: AggregationTemporality.DELTA}

        def readers() -> list[InMemoryMetricReader]:
            return [
                InMemoryMetricReader(preferred_aggregation=preferred),
                InMemoryMetricReader(preferred_aggregation=preferred, preferred_temporality=delta),
                InMemoryMetricReader(),
            ]

        stock, ours = both(recording(SCRIPTS["wide"]), recording(SCRIPTS["narrow"]), readers=readers)
        assert [found.pop() for found in stock] == [found.pop() for found in ours]
        expected, actual = at_one_scale(stock, ours)
        for point in expected + actual:  # what a delta's extremes are is not kept
            del point["min"], point["max"]
        assert expected == actual

    def test_values_that_may_be_negative_get_explicit_buckets(self, caplog: pytest.LogCaptureFixture) -> None:
        views = [View(instrument_name="*", aggregation=ExponentialBucketHistogramAggregation())]

        def script(meter: Meter) -> None:
            for value in (-5, 3):
                meter.create_up_down_counter("active").add(value)

        _, ours = both(script, script, views=views)
        ((name, points),) = ours[-1][0].items()
        assert name[2] == "Histogram"
        assert points[()]["bucket_counts"][:2] == (2, 2)
        assert len([record for record in caplog.records if record.name == "telemetry"]) == 1
        stock, ours = both(
            lambda meter: meter.create_counter("c").add(3),
            views=[View(instrument_type=Counter, aggregation=views[0]._aggregation)],
        )
        expected, actual = at_one_scale(stock, ours)
        assert expected == actual


class TestBuckets:
    @pytest.mark.parametrize("scale", [SCALE, 0, -1, -3])
    def test_edges_are_powers_of_the_base(self, scale: int) -> None:
        edges = edges_of(scale)
        assert edges[0] == 0.0
        assert edges[1] <= 2.0 ** (LOWEST + 2.0**-scale)
        assert edges[-1] >= 2.0**HIGHEST
        base = 2.0 ** (2.0**-scale)
        for low, high in pairwise(edges[1:]):
            assert math.isclose(base, high / low)

    def test_a_value_lies_in_the_bucket_of_its_index(self) -> None:
        for scale in (SCALE, 0, -2):
            for value in (0.001, 0.75, 1.0, 1.5, 2.0, 1000.0):
                cells = [0.0] * (len(edges_of(scale)) + 1)
                cells[sum(edge < value for edge in edges_of(scale))] = 1.0
                found, zeros, offset, counts = buckets_of(cells, scale, 160)
                assert (found, zeros, counts) == (scale, 0, [1])
                base = 2.0 ** (2.0**-scale)
                assert base**offset < value * (1 + 1e-12)
                assert value <= base ** (offset + 1) * (1 + 1e-12)

    def test_a_view_may_ask_for_less(self) -> None:
        assert [scale_for(20), scale_for(2), scale_for(-1), scale_for(-10)] == [SCALE, 2, -1, -3]
