"""What Upstream keeps: claims and what was refused, drift and the alerts it raised, and every job."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

CRITICAL = 0.9
"""The severity score from which an alert is critical; below it, `SeverityLevel` has the words."""


class Customer(models.Model):
    """A healthcare provider whose claims are watched; `code` is its id in files, URLs and metrics."""

    code = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    alert_email = models.EmailField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.code


class Payer(models.Model):
    """An insurer; `code` is its id in files."""

    code = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.code


class JobRun(models.Model):
    """One pass of background work: its start, its end, its failure."""

    class JobType(models.TextChoices):
        DRIFT_DETECTION = "drift_detection"
        REPORT_GENERATION = "report_generation"
        DATA_SYNC = "data_sync"
        DATA_EXPORT = "data_export"
        ALERT_PROCESSING = "alert_processing"

    class Status(models.TextChoices):
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="jobs")
    job_type = models.CharField(max_length=32, choices=JobType.choices)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.RUNNING)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    error_type = models.CharField(max_length=100, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["customer", "job_type", "started_at"], name="job_customer_type_start")]
        constraints = [
            models.CheckConstraint(
                name="job_running_or_finished",
                condition=Q(status="running", finished_at=None) | (~Q(status="running") & Q(finished_at__isnull=False)),
            )
        ]

    def __str__(self) -> str:
        return f"{self.job_type} {self.pk} ({self.status})"


class ClaimBatch(models.Model):
    """One file of claims, however it came in and whatever became of it."""

    class Status(models.TextChoices):
        PROCESSING = "processing"
        SUCCESS = "success"
        PARTIAL = "partial"
        FAILED = "failed"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="batches")
    filename = models.CharField(max_length=255)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PROCESSING)
    row_count = models.PositiveIntegerField(default=0)
    accepted_count = models.PositiveIntegerField(default=0)
    rejected_count = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    received_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
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
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="claims", db_index=False)
    payer = models.ForeignKey(Payer, on_delete=models.PROTECT, related_name="claims")
    batch = models.ForeignKey(ClaimBatch, on_delete=models.CASCADE, related_name="claims")
    claim_id = models.CharField(max_length=64)
    procedure_code = models.CharField(max_length=5)
    billed_amount = models.DecimalField(max_digits=11, decimal_places=2)
    paid_amount = models.DecimalField(max_digits=11, decimal_places=2, default=0)
    service_date = models.DateField()
    submitted_date = models.DateField()
    paid_date = models.DateField(null=True)
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


class DriftEvent(models.Model):
    """A payer that behaves otherwise in its recent window than in its baseline, found by one pass.

    `baseline` and `current` are shares of claims (denial rate) or median days (payment delay).
    `effect` is Cohen's h or Cliff's delta; `p_value` is not corrected for multiplicity.
    `suppressed` tells why no alert was raised on an event that deserved one.
    """

    class DriftType(models.TextChoices):
        PAYMENT_DELAY = "payment_delay"
        DENIAL_RATE = "denial_rate"

    class Suppressed(models.TextChoices):
        DUPLICATE = "duplicate"
        COOLDOWN = "cooldown"

    job = models.ForeignKey(JobRun, on_delete=models.CASCADE, related_name="drift_events")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="drift_events", db_index=False)
    payer = models.ForeignKey(Payer, on_delete=models.PROTECT, related_name="drift_events")
    product = models.CharField(max_length=32)
    drift_type = models.CharField(max_length=32, choices=DriftType.choices)
    severity = models.FloatField()
    baseline = models.FloatField()
    current = models.FloatField()
    baseline_size = models.PositiveIntegerField()
    current_size = models.PositiveIntegerField()
    effect = models.FloatField()
    p_value = models.FloatField()
    window_start = models.DateField()
    window_end = models.DateField()
    suppressed = models.CharField(max_length=16, choices=Suppressed.choices, blank=True)
    detected_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["customer", "payer", "drift_type", "window_end"], name="drift_what_and_when")]
        constraints = [
            models.CheckConstraint(name="severity_from_0_to_1", condition=Q(severity__gte=0, severity__lte=1)),
            models.UniqueConstraint(fields=["job", "payer", "drift_type"], name="drift_once_per_pass"),
        ]

    def __str__(self) -> str:
        return f"{self.payer_id} {self.drift_type} {self.severity:.2f}"


class Alert(models.Model):
    """A warning to a customer about one drift event."""

    class Severity(models.TextChoices):
        LOW = "low"
        MEDIUM = "medium"
        HIGH = "high"
        CRITICAL = "critical"

    class Status(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"

    event = models.OneToOneField(DriftEvent, on_delete=models.CASCADE, related_name="alert")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="alerts", db_index=False)
    severity = models.CharField(max_length=16, choices=Severity.choices)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    title = models.CharField(max_length=300)
    body = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["customer", "created_at"], name="alert_customer_created")]

    def __str__(self) -> str:
        return self.title


class AlertDelivery(models.Model):
    """One attempt to deliver an alert over one channel."""

    class Channel(models.TextChoices):
        EMAIL = "email"

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="deliveries")
    channel_type = models.CharField(max_length=16, choices=Channel.choices)
    delivered = models.BooleanField()
    error_type = models.CharField(max_length=100, blank=True)
    error = models.TextField(blank=True)
    attempted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="delivered_or_error",
                condition=Q(delivered=True, error_type="") | (Q(delivered=False) & ~Q(error_type="")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel_type}: {'delivered' if self.delivered else self.error_type}"
