"""What came in: batches, claims, rejected rows and scores, all as the service stored them."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from upstream.admin.base import ReadOnly, ReadOnlyRows
from upstream.models import Claim, ClaimBatch, QualityScore, QualitySnapshot, RejectedRow


class ScoreRows(ReadOnlyRows):
    """A batch's scores."""

    model = QualityScore


@admin.register(ClaimBatch)
class ClaimBatchAdmin(ReadOnly):
    """Files of claims, with the way to what each held."""

    list_display = (
        *("filename", "contents", "customer", "status", "row_count", "accepted_count", "rejected_count"),
        *("received_at", "finished_at"),
    )
    list_filter = ("status", "customer")
    list_select_related = ("customer",)
    search_fields = ("filename", "customer__code")
    date_hierarchy = "received_at"
    # Where an upload waits is nobody's to open.
    exclude = ("file",)
    inlines = (ScoreRows,)

    @admin.display(description="contents")
    def contents(self, batch: ClaimBatch) -> str:
        """Links to the batch's claims and rejected rows."""
        claims, rejected = (reverse(f"admin:upstream_{name}_changelist") for name in ("claim", "rejectedrow"))
        link = '<a href="{}?batch__id__exact={}">claims</a> <a href="{}?batch__id__exact={}">rejected rows</a>'
        return format_html(link, claims, batch.pk, rejected, batch.pk)


@admin.register(Claim)
class ClaimAdmin(ReadOnly):
    """Claims."""

    list_display = (
        *("claim_id", "customer", "payer", "procedure_code", "billed_amount", "paid_amount"),
        *("submitted_date", "paid_date", "denied", "denial_reason"),
    )
    list_filter = ("denied", "payer", "customer")
    list_select_related = ("customer", "payer")
    search_fields = ("claim_id__exact",)
    # No drill-down by date: it would read the whole of the one big table.
    search_help_text = "The whole id of a claim."


@admin.register(RejectedRow)
class RejectedRowAdmin(ReadOnly):
    """Rows that were refused, and why."""

    list_display = ("batch", "line_number", "faults")
    list_filter = ("batch__customer",)
    list_select_related = ("batch",)
    search_fields = ("batch__filename",)

    @admin.display(description="faults")
    def faults(self, row: RejectedRow) -> str:
        """Each column with the check that it failed."""
        return ", ".join(f"{reason['column']}: {reason['check']}" for reason in row.reasons)


@admin.register(QualityScore)
class QualityScoreAdmin(ReadOnly):
    """Scores of batches."""

    list_display = ("batch", "metric_type", "score")
    list_filter = ("metric_type", "batch__customer")
    list_select_related = ("batch",)
    search_fields = ("batch__filename",)


@admin.register(QualitySnapshot)
class QualitySnapshotAdmin(ReadOnly):
    """Scores of days."""

    list_display = ("day", "customer", "metric_type", "score")
    list_filter = ("metric_type", "customer")
    list_select_related = ("customer",)
    search_fields = ("customer__code",)
    date_hierarchy = "day"
