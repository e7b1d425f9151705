"""What came in: batches, claims, what was refused, and how good it was."""

from __future__ import annotations

import datetime

from django.db import models
from django.db.models import F, Q

from upstream.models.customers import Customer, Payer

EARLIEST = datetime.date(2000, 1, 1)
"""No claim has a day before this one."""


class ClaimBatch(models.Model):
    """One file of claims, however it came in and whatever became of it.

    `file` is where an upload waits for its job; what is in it is private, so it is removed once the job is over.
    """

    class Status(models.TextChoices):
        PROCESSING = "processing"
        SUCCESS = "success"
        PARTIAL = "partial"
        FAILED = "failed"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="batches")
    filename = models.CharField(max_length=255)
    file = models.FileField(upload_to="claims/", max_length=255, blank=True)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PROCESSING)
    row_count = models.PositiveIntegerField(default=0)
    accepted_count = models.PositiveIntegerField(default=0)
    rejected_count = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    received_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "claim batches"
        indexes = [models.Index(fields=["customer", "received_at"], name="batch_customer_received")]
        constraints = [
            models.CheckConstraint(
                name="batch_counts_add_up", condition=Q(row_count=F("accepted_count") + F("rejected_count"))
            )
        ]

    def __str__(self) -> str:
        return f"{self.filename} ({self.status})"


class Claim(models.Model):
    """One claim; without a `paid_date` and not denied, it waits for the payer's answer.

    `paid_date` is the day of the payer's answer: of the payment, or of the denial where the file tells it.
    `adjudicated_code` is the procedure under which the payer answered, where it is not the one submitted.
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="claims", db_index=False)
    payer = models.ForeignKey(Payer, on_delete=models.PROTECT, related_name="claims")
    batch = models.ForeignKey(ClaimBatch, on_delete=models.CASCADE, related_name="claims")
    claim_id = models.CharField(max_length=64)
    procedure_code = models.CharField(max_length=5)
    adjudicated_code = models.CharField(max_length=5, blank=True)
    billed_amount = models.DecimalField(max_digits=11, decimal_places=2)
    paid_amount = models.DecimalField(max_digits=11, decimal_places=2, default=0)
    service_date = models.DateField()
    submitted_date = models.DateField()
    paid_date = models.DateField(null=True, blank=True)
    denied = models.BooleanField()
    denial_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [models.Index(fields=["customer", "paid_date"], name="claim_customer_paid")]
        constraints = [
            models.UniqueConstraint(fields=["customer", "claim_id"], name="claim_once_per_customer"),
            models.CheckConstraint(
                name="claim_amounts_in_range",
                condition=Q(billed_amount__gt=0, paid_amount__gte=0, paid_amount__lte=F("billed_amount")),
            ),
            models.CheckConstraint(
                name="claim_dates_in_order",
                condition=Q(submitted_date__gte=F("service_date"))
                & (Q(paid_date=None) | Q(paid_date__gte=F("submitted_date"))),
            ),
        ]

    def __str__(self) -> str:
        return self.claim_id


class RejectedRow(models.Model):
    """A row that was refused: where it stood, what it held (shortened), and every reason.

    `reasons` is a list of `{"column", "check", "given", "valid"}`; `check` is one of the check types of
    `upstream_data_quality_check_failed_total`.
    """

    batch = models.ForeignKey(ClaimBatch, on_delete=models.CASCADE, related_name="rejected_rows")
    line_number = models.PositiveIntegerField()
    row = models.JSONField()
    reasons = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "line_number"], name="rejected_line_once_per_batch")]

    def __str__(self) -> str:
        return f"line {self.line_number}"


class QualityScore(models.Model):
    """One of a batch's four scores, 0 to 1; `upstream.ingestion.scoring` defines them."""

    class MetricType(models.TextChoices):
        COMPLETENESS = "completeness"
        ACCURACY = "accuracy"
        TIMELINESS = "timeliness"
        CONSISTENCY = "consistency"

    batch = models.ForeignKey(ClaimBatch, on_delete=models.CASCADE, related_name="scores")
    metric_type = models.CharField(max_length=16, choices=MetricType.choices)
    score = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "metric_type"], name="score_once_per_batch"),
            models.CheckConstraint(name="score_from_0_to_1", condition=Q(score__gte=0, score__lte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.metric_type} {self.score:.3f}"


class QualitySnapshot(models.Model):
    """One of a customer's four scores on one day, over the batches of the days before it."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="quality", db_index=False)
    day = models.DateField()
    metric_type = models.CharField(max_length=16, choices=QualityScore.MetricType.choices)
    score = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "day", "metric_type"], name="snapshot_once_a_day"),
            models.CheckConstraint(name="snapshot_from_0_to_1", condition=Q(score__gte=0, score__lte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.metric_type} {self.score:.3f}"
