"""What detection found."""

from __future__ import annotations

from django.contrib import admin

from upstream.admin.base import ReadOnly
from upstream.models import DriftEvent


@admin.register(DriftEvent)
class DriftEventAdmin(ReadOnly):
    """Drift events."""

    list_display = (
        *("payer", "customer", "drift_type", "subject", "severity", "baseline", "current"),
        *("window_end", "suppressed", "detected_at"),
    )
    list_filter = ("drift_type", "suppressed", "payer", "customer")
    list_select_related = ("payer", "customer")
    search_fields = ("payer__code", "customer__code", "subject")
    date_hierarchy = "detected_at"
