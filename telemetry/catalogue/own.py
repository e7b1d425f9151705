"""The layer's own health: what it dropped, and how its store is doing."""

from __future__ import annotations

from telemetry.catalogue import export
from telemetry.limit import OVERFLOWED
from telemetry.spec import Family, FamilyType, Kind, Layout, Projection, Source

DROPPED = Layout("own.dropped", Kind.SUM, ("reason",))
"""Measurements lost to an error of ours; `reason` is the place that failed."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

SCRAPE = Layout("own.scrape", Kind.HISTOGRAM, (), _SECONDS)
"""Seconds that a page took, from the request for it to its bytes."""

READ = Layout("own.read", Kind.HISTOGRAM, (), _SECONDS)
"""Seconds of it in which the segments of all processes were read and merged."""

PROJECTIONS = (
    *export.PROJECTIONS,
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
    Projection(
        Family(
            "telemetry_scrape_duration_seconds",
            FamilyType.HISTOGRAM,
            "Time to collect and render a page of metrics.",
            (),
            _SECONDS,
        ),
        (Source(SCRAPE),),
    ),
    Projection(
        Family(
            "telemetry_store_read_duration_seconds",
            FamilyType.HISTOGRAM,
            "Time to read and merge what all processes recorded, a part of the scrape.",
            (),
            _SECONDS,
        ),
        (Source(READ),),
    ),
)

SERIES = Family("telemetry_series", FamilyType.GAUGE, "Series of each family on this page.", ("family",))
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
