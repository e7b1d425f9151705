"""Calls that must type-check, and must be recorded: each moves one series, by itself."""

from __future__ import annotations

from typing import Literal

from telemetry.business._declare import counter, histogram
from telemetry.business.alerts import ALERT_CREATED, ALERT_PROCESSING, Severity
from telemetry.business.api import CACHE_HIT
from telemetry.business.labels import CustomerId, Product
from telemetry.business.quality import DATA_QUALITY_SCORE, QualityMetric
from upstream.metrics import track_alert_created, track_data_quality_score, track_drift_event, track_ingestion

DRIFT, HIGH = Product.DRIFTWATCH, Severity.HIGH


@counter("upstream_import_started", owner="ingestion", unit="{import}", question="Who starts imports?")
def IMPORT_STARTED(*, trigger: Literal["clock", "hand"], customer_id: CustomerId) -> None:
    """Imports started."""


@histogram("upstream_import_bytes", 1, 10, owner="ingestion", unit="By", question="How large are imports?")
def IMPORT_SIZE() -> None:
    """Size of an import, in bytes."""


ALERT_CREATED.add(product=DRIFT, severity=HIGH, customer_id="c")
ALERT_CREATED.add(2, product=Product("DriftWatch"), severity=Severity("high"), customer_id="c")
ALERT_CREATED.add(0.5, customer_id=str(7), severity=Severity.LOW, product=Product.DENIALSCOPE)
ALERT_PROCESSING.record(0.5, product=DRIFT)
DATA_QUALITY_SCORE.set(1, customer_id="c", metric_type=QualityMetric.ACCURACY)
CACHE_HIT.add(cache_key_prefix="payers")
IMPORT_STARTED.add(trigger="hand", customer_id="c")
IMPORT_SIZE.record(5)
track_alert_created("DriftWatch", "high", "c")
track_alert_created("DriftWatch", "high", 7)
track_drift_event("DelayGuard", "payment_delay", 0.7, "c")
track_data_quality_score("c", "accuracy", 1.0)
track_ingestion("c", 5)
track_ingestion("c", 5, status="failed")
