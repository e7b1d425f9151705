"""How the export of spans and metrics fares: what did not arrive, and what is gone for good."""

from __future__ import annotations

from telemetry.spec import Family, FamilyType, Kind, Layout, Projection, Source

SPANS, METRICS = "spans", "metrics"
"""Values of `signal`."""

FAILED = Layout("export.failed", Kind.SUM, ("signal",))
"""Exports that the receiver did not acknowledge, after the exporter's own retries."""

LOST = Layout("export.lost", Kind.SUM, ("signal", "reason"))
"""Spans that no receiver acknowledged; `reason` is queue_full, failed or exit. Metrics are late instead."""

PROJECTIONS = (
    Projection(
        Family(
            "telemetry_export_failures_total",
            FamilyType.COUNTER,
            "Exports of spans or metrics that the receiver did not acknowledge.",
            ("signal",),
        ),
        (Source(FAILED),),
    ),
    Projection(
        Family(
            "telemetry_export_lost_total",
            FamilyType.COUNTER,
            "Spans lost before any receiver acknowledged them.",
            ("signal", "reason"),
        ),
        (Source(LOST),),
    ),
)
