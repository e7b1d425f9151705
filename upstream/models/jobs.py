"""The job table: what is to be done, who is doing it, and what became of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from upstream.models.customers import Customer


class Job(models.Model):
    """One piece of background work, the truth about it: brokers lose messages and deliver them twice.

    `name` is the kind of work (`upstream/tasks.py`), `job_type` the word for it on the metrics. A job
    that is not finished begins no earlier than `due_at`; while an attempt at it runs, `lease` is that
    attempt's secret and `lease_until` the time up to which it is known to be alive. Each attempt counts
    in `attempts`, the one under way included. `result` is what a completed job came to,
    `traceparent` the trace of whoever asked for it (W3C Trace Context), or nothing.
    """

    class JobType(models.TextChoices):
        DRIFT_DETECTION = "drift_detection"
        REPORT_GENERATION = "report_generation"
        DATA_SYNC = "data_sync"
        DATA_EXPORT = "data_export"
        ALERT_PROCESSING = "alert_processing"

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="jobs")
    name = models.CharField(max_length=64)
    job_type = models.CharField(max_length=32, choices=JobType.choices)
    arguments = models.JSONField(default=dict, blank=True)
    key = models.CharField(max_length=200, null=True, blank=True, unique=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    max_attempts = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(default=dict, blank=True)
    error_type = models.CharField(max_length=100, blank=True)
    error = models.TextField(blank=True)
    # Also in the table, for processes of an earlier version that go on writing jobs while this one is rolled out.
    traceparent = models.CharField(max_length=55, blank=True, default="", db_default="")

    class Meta:
        indexes = [
            models.Index(fields=["customer", "job_type", "started_at"], name="job_customer_type_start"),
            models.Index(fields=["status", "due_at"], name="job_status_due"),
        ]
        constraints = [
            models.CheckConstraint(
                name="job_leased_while_running",
                condition=Q(status="running", lease__isnull=False, lease_until__isnull=False)
                | (~Q(status="running") & Q(lease=None, lease_until=None)),
            ),
            models.CheckConstraint(
                name="job_finished_when_over",
                condition=Q(status__in=("completed", "failed"), finished_at__isnull=False)
                | (Q(status__in=("queued", "running")) & Q(finished_at=None)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.pk} ({self.status})"
