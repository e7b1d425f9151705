"""The layer's own health: what it dropped, and how its store is doing."""

from __future__ import annotations

from telemetry.limit import OVERFLOWED
from telemetry.spec import Family, FamilyType, Kind, Layout, Projection, Source

DROPPED = Layout("own.dropped", Kind.SUM, ("reason",))
"""Measurements lost to an error of ours; `reason` is the place that failed."""

PROJECTIONS = (
    Projection(
        Family("telemetry_dropped_total", FamilyType.COUNTER, "Measurements lost to an internal failure.", ("reason",)),
        (Source(DROPPED),),
    ),
    Projection(
        Family(
            "telemetry_series_overflow_total",
            FamilyType.COUNTER,
            "Measurements counted under an overflow label because their stream reached its limit.",
            ("stream",),
        ),
        (Source(OVERFLOWED),),
    ),
)

SEGMENTS = Family("telemetry_store_segments", FamilyType.GAUGE, "Living processes that write to the store.")
FILES = Family("telemetry_store_files", FamilyType.GAUGE, "Files of the store.")
BYTES = Family("telemetry_store_bytes", FamilyType.GAUGE, "Size of the store's files in bytes.")
DEGRADED = Family(
    "telemetry_store_degraded",
    FamilyType.GAUGE,
    "1 where this process counts in its own memory because the shared store cannot be had, else 0.",
)
LOST = Family(
    "telemetry_store_lost_total",
    FamilyType.COUNTER,
    "Measurements lost because the store had no room for their series.",
)
SERVING_ANCHORS = Family(
    "telemetry_store_serving_anchors",
    FamilyType.GAUGE,
    "Living parents whose processes share the store; more than 1 means that two services share it.",
)
CORRUPT = Family("telemetry_store_corrupt_files", FamilyType.GAUGE, "Files of the store skipped as damaged.")
CONFLICTS = Family(
    "telemetry_store_layout_conflicts",
    FamilyType.GAUGE,
    "Records hidden because processes of two versions define them differently.",
)
