"""What customers read."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from upstream.models.customers import Customer


class Report(models.Model):
    """One report over the days from `start` to `end`, ends included; `html` and `csv` hold it once it is completed."""

    class ReportType(models.TextChoices):
        DRIFT_SUMMARY = "drift_summary"
        PAYMENT_ANALYSIS = "payment_analysis"
        DENIAL_ANALYSIS = "denial_analysis"
        QUALITY_DASHBOARD = "quality_dashboard"

    class Status(models.TextChoices):
        PENDING = "pending"
        COMPLETED = "completed"
        FAILED = "failed"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="reports", db_index=False)
    report_type = models.CharField(max_length=32, choices=ReportType.choices)
    start = models.DateField()
    end = models.DateField()
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    html = models.TextField(blank=True)
    csv = models.TextField(blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["customer", "created_at"], name="report_customer_created")]
        constraints = [
            models.CheckConstraint(name="report_days_in_order", condition=Q(end__gte=F("start"))),
            models.CheckConstraint(
                name="report_finished_when_over",
                condition=Q(status="pending", finished_at=None)
                | (Q(status__in=("completed", "failed")) & Q(finished_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.report_type} {self.start} to {self.end} ({self.status})"
