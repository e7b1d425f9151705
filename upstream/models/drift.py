"""What detection finds."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from upstream.models.customers import Customer, Payer
from upstream.models.jobs import Job


class DriftEvent(models.Model):
    """A payer that behaves otherwise in its recent window than in its baseline, found by one pass.

    `subject` is the denial reason or the procedure code that drifts; empty where it is the payer as a whole.
    `baseline` and `current` are shares of claims (denials, adjustments, claims under another code) or
    median days (payment delay, age of open claims). `effect` is Cohen's h or Cliff's delta; `p_value` is not
    corrected for multiplicity. `suppressed` tells why no alert was raised on an event that deserved one.
    """

    class DriftType(models.TextChoices):
        PAYMENT_DELAY = "payment_delay"
        DENIAL_RATE = "denial_rate"
        ADJUSTMENT_PATTERN = "adjustment_pattern"
        CODE_MAPPING_CHANGE = "code_mapping_change"
        AR_AGING = "ar_aging"

    class Suppressed(models.TextChoices):
        DUPLICATE = "duplicate"
        COOLDOWN = "cooldown"
        NOISE_PATTERN = "noise_pattern"

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="drift_events")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="drift_events", db_index=False)
    payer = models.ForeignKey(Payer, on_delete=models.PROTECT, related_name="drift_events")
    product = models.CharField(max_length=32)
    drift_type = models.CharField(max_length=32, choices=DriftType.choices)
    subject = models.CharField(max_length=200, blank=True)
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
            models.UniqueConstraint(fields=["job", "payer", "drift_type", "subject"], name="drift_once_per_pass"),
        ]

    def __str__(self) -> str:
        return f"{self.payer_id} {self.drift_type} {self.severity:.2f}"
