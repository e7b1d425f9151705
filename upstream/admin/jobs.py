"""Background work."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from upstream import ingestion, jobs
from upstream.admin.base import ReadOnly
from upstream.models import Job


@admin.register(Job)
class JobAdmin(ReadOnly):
    """Jobs; one that failed for good can be tried again."""

    list_display = (
        *("id", "name", "customer", "job_type", "status", "tried", "error_type"),
        *("due_at", "started_at", "finished_at"),
    )
    # Not a drill-down by date: it would read the whole of a table that grows with everything that is done.
    list_filter = ("status", "name", "job_type", "error_type", "created_at", "customer")
    list_select_related = ("customer",)
    search_fields = ("name", "key", "customer__code")
    exclude = ("lease",)
    actions = ("retry",)

    @admin.display(description="attempts")
    def tried(self, job: Job) -> str:
        """How often it was tried, and may be."""
        return f"{job.attempts} of {job.max_attempts}"

    @admin.action(description="Try again", permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Queue those that failed; but not those that ingest a file, for it is removed when they are given up."""
        # Of a kind that this version does not have, nobody could do the work.
        able = [job for job in queryset if job.name != ingestion.KIND and job.name in jobs.kinds()]
        count = sum(jobs.retry(job) for job in able)
        if count:
            self.message_user(request, f"{count} queued again.")
        if left := len(queryset) - count:
            why = "only a failed job can be, and of a file that was ingested nothing is left: it must be sent again."
            self.message_user(request, f"{left} not tried again: {why}", messages.WARNING)
