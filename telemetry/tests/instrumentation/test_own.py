"""The layer's own health, as the store told it."""

from __future__ import annotations

import pytest

from telemetry.instrumentation import own
from telemetry.samples import FamilySamples, ProcessInfo, Reading
from telemetry.spec import Family, FamilyType


class TestFamilies:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("telemetry_store_segments", 2),
            ("telemetry_store_files", 5),
            ("telemetry_store_bytes", 4096),
            ("telemetry_store_degraded", 1),
            ("telemetry_store_lost_total", 7),
            ("telemetry_store_serving_anchors", 3),
            ("telemetry_store_corrupt_files", 4),
            ("telemetry_store_layout_conflicts", 6),
        ],
    )
    def test_each_shows_its_own_number(self, name: str, value: float) -> None:
        processes = (ProcessInfo(10, 0, 1), ProcessInfo(11, 0, 2))
        reading = Reading(
            1, 0.0, "", {}, processes, serving_anchors=3, conflicts=6, corrupt=4, files=5, bytes=4096, lost=7.0
        )
        shown = {found.family.name: found.series for found in own.families(reading, degraded=True)}
        assert [((), float(value))] == shown[name]


class TestSeries:
    def test_counts_each_familys_series_of_all_parts(self) -> None:
        def samples(name: str, count: int) -> FamilySamples:
            family = Family(name, FamilyType.COUNTER, "Help.", ("which",))
            return FamilySamples(family, [((("which", str(number)),), 1.0) for number in range(count)])

        shown = own.series([samples("b_total", 2), samples("a_total", 0), samples("b_total", 3)])
        assert [((("family", "a_total"),), 0.0), ((("family", "b_total"),), 5.0)] == shown.series
