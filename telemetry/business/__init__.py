"""Upstream's business metrics: 24 families, declared once and typed, on the OpenTelemetry Meter API.

Importing this package declares them; `register_all()` makes the instruments. Only the product
does either, so a project that installs `telemetry` alone has none of them.
"""

from telemetry.business import alerts, api, drift, jobs, quality, reports
from telemetry.business._declare import DROPPED, Measure, budgets, declared, measures, register_all
from telemetry.business._fit import Reason, Unfit

__all__ = [
    "DROPPED",
    "Measure",
    "Reason",
    "Unfit",
    "alerts",
    "api",
    "budgets",
    "declared",
    "drift",
    "jobs",
    "measures",
    "quality",
    "register_all",
    "reports",
]
