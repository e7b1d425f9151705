"""Calls that must not type-check, and what becomes of each where nobody checks types.

Each line is marked with the codes of the errors that mypy must give for it, and with what happens at run
time: the reason for which the measurement is dropped and counted, the error that is raised (by Python or by
a declaration, never by a measurement), or `recorded` where the text is valid though its type is not.
"""

from __future__ import annotations

from typing import Literal

from telemetry.business._declare import counter, histogram
from telemetry.business.alerts import ALERT_CREATED, ALERT_PROCESSING, Channel, Severity
from telemetry.business.drift import SeverityLevel
from telemetry.business.labels import CustomerId, Product
from telemetry.business.quality import CLAIM_RECORDS_INGESTED, DATA_QUALITY_SCORE, CheckSeverity, QualityMetric
from upstream.metrics import track_alert_created, track_data_quality_score, track_drift_event, track_ingestion

DRIFT, HIGH, WORD = Product.DRIFTWATCH, Severity.HIGH, "hand".lower()


@counter("upstream_import_started", owner="ingestion", unit="{import}", question="Who starts imports?")
def IMPORT_STARTED(*, trigger: Literal["clock", "hand"], customer_id: CustomerId) -> None:
    """Imports started."""


def labels(*, product: Product) -> None:
    """A family that is never declared."""


# Labels that are an enum
ALERT_CREATED.add(product=DRIFT, severity=Severity.URGENT, customer_id="c")  # error: attr-defined -> AttributeError
ALERT_CREATED.add(product=DRIFT, severity=CheckSeverity.WARNING, customer_id="c")  # error: arg-type -> unknown_value
ALERT_CREATED.add(product=DRIFT, severity=SeverityLevel.HIGH, customer_id="c")  # error: arg-type -> recorded
ALERT_CREATED.add(product=DRIFT, severity=Severity, customer_id="c")  # error: arg-type -> not_a_string
ALERT_CREATED.add(product="driftwatch", severity=HIGH, customer_id="c")  # error: arg-type -> unknown_value
ALERT_CREATED.add(product="DriftWatch", severity=HIGH, customer_id="c")  # error: arg-type -> recorded
ALERT_CREATED.add(product=None, severity=HIGH, customer_id="c")  # error: arg-type -> not_a_string
ALERT_PROCESSING.record(1, product=HIGH)  # error: arg-type -> unknown_value
DATA_QUALITY_SCORE.set(0.5, customer_id="c", metric_type="speed")  # error: arg-type -> unknown_value

# Labels that are literals
IMPORT_STARTED.add(trigger="moon", customer_id="c")  # error: arg-type -> unknown_value
IMPORT_STARTED.add(trigger="", customer_id="c")  # error: arg-type -> unknown_value
IMPORT_STARTED.add(trigger=WORD, customer_id="c")  # error: arg-type -> recorded
IMPORT_STARTED.add(trigger=1, customer_id="c")  # error: arg-type -> not_a_string

# Labels that are bounded texts
ALERT_CREATED.add(product=DRIFT, severity=HIGH, customer_id=None)  # error: arg-type -> not_a_string
ALERT_CREATED.add(product=DRIFT, severity=HIGH, customer_id=b"c")  # error: arg-type -> not_a_string
ALERT_CREATED.add(product=DRIFT, severity=HIGH, customer_id=7)  # error: arg-type -> recorded
IMPORT_STARTED.add(trigger="hand", customer_id=1.5)  # error: arg-type -> not_a_string

# Which labels
ALERT_CREATED.add()  # error: call-arg -> wrong_labels
ALERT_CREATED.add(product=DRIFT, severity=HIGH)  # error: call-arg -> wrong_labels
ALERT_CREATED.add(product=DRIFT, severity=HIGH, customer_id="c", payer="p")  # error: call-arg -> wrong_labels
ALERT_CREATED.add(product=DRIFT, channel_type=Channel.EMAIL, customer_id="c")  # error: call-arg -> wrong_labels
ALERT_CREATED.add(1, DRIFT, severity=HIGH, customer_id="c")  # error: call-arg -> wrong_labels
ALERT_CREATED.add(1, DRIFT, product=DRIFT, severity=HIGH, customer_id="c")  # error: misc -> wrong_labels
ALERT_PROCESSING.record(1, product=DRIFT, customer_id="c")  # error: call-arg -> wrong_labels
DATA_QUALITY_SCORE.set(1, "c", metric_type=QualityMetric.ACCURACY)  # error: call-arg -> wrong_labels

# Values
ALERT_CREATED.add("2", product=DRIFT, severity=HIGH, customer_id="c")  # error: arg-type -> not_a_number
ALERT_CREATED.add(None, product=DRIFT, severity=HIGH, customer_id="c")  # error: arg-type -> not_a_number
ALERT_PROCESSING.record("1", product=DRIFT)  # error: arg-type -> not_a_number
ALERT_PROCESSING.record(product=DRIFT)  # error: call-arg -> TypeError
DATA_QUALITY_SCORE.set(None, customer_id="c", metric_type=QualityMetric.ACCURACY)  # error: arg-type -> not_a_number

# What a metric of this type cannot do
ALERT_CREATED.record(1, product=DRIFT, severity=HIGH, customer_id="c")  # error: attr-defined -> AttributeError
ALERT_CREATED.set(1, product=DRIFT, severity=HIGH, customer_id="c")  # error: attr-defined -> AttributeError
ALERT_PROCESSING.add(1, product=DRIFT)  # error: attr-defined -> AttributeError
DATA_QUALITY_SCORE.add(customer_id="c", metric_type=QualityMetric.ACCURACY)  # error: attr-defined -> AttributeError
CLAIM_RECORDS_INGESTED(customer_id="c", status="success")  # error: operator -> TypeError

# The helpers
track_alert_created("DriftWatch", "high")  # error: call-arg -> TypeError
track_alert_created("DriftWatch", None, "c")  # error: arg-type -> not_a_string
track_drift_event("DriftWatch", "ar_aging", "high", "c")  # error: arg-type -> not_a_number
track_data_quality_score("c", 0.5, "accuracy")  # error: arg-type -> not_a_number
track_ingestion("c", 5, state="failed")  # error: call-arg -> TypeError

# Declarations
counter("some", unit="{thing}", question="Why?")(labels)  # error: call-arg -> SpecError
counter("some", owner="o", question="Why?")(labels)  # error: call-arg -> SpecError
histogram("some_seconds", 1, owner="o", unit="s")(labels)  # error: call-arg -> SpecError
counter("some", owner="o", unit="{thing}", question="Why?", series=5)(labels)  # error: call-arg -> SpecError
counter("some", owner="o", unit="{thing}", question=None)(labels)  # error: arg-type -> SpecError
