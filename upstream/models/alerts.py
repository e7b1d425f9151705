"""Warnings, the ways on which they leave, and what became of each."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from upstream.models.customers import Customer
from upstream.models.drift import DriftEvent

CRITICAL = 0.9
"""The severity score from which an alert is critical; below it, `SeverityLevel` has the words."""


class ChannelType(models.TextChoices):
    """How an alert reaches a customer."""

    EMAIL = "email"
    SLACK = "slack"
    WEBHOOK = "webhook"


class AlertChannel(models.Model):
    """A way on which a customer wants its alerts, beside `Customer.alert_email`.

    `target` is an e-mail address, or the https URL of a webhook. `secret` signs what a webhook is sent.
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="channels", db_index=False)
    channel_type = models.CharField(max_length=16, choices=ChannelType.choices)
    target = models.CharField(max_length=500)
    secret = models.CharField(max_length=200, blank=True)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "channel_type", "target"], name="channel_once_per_customer")
        ]

    def __str__(self) -> str:
        return f"{self.channel_type} of {self.customer_id}"


class Alert(models.Model):
    """A warning to a customer about one drift event; delivered when one delivery was, failed when all have failed."""

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
    acknowledged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["customer", "created_at"], name="alert_customer_created")]

    def __str__(self) -> str:
        return self.title


class AlertDelivery(models.Model):
    """One alert on one way; `message_id` stays the same however often it is tried, so that a receiver can tell.

    `channel` is empty for the customer's own address and that of the operators. `target` is what was
    written to when the alert was raised. `last_tried_at` is set before anything is sent.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(
        AlertChannel, on_delete=models.SET_NULL, null=True, blank=True, related_name="deliveries"
    )
    channel_type = models.CharField(max_length=16, choices=ChannelType.choices)
    target = models.CharField(max_length=500, blank=True)
    message_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    error_type = models.CharField(max_length=100, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_tried_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "alert deliveries"
        constraints = [
            models.UniqueConstraint(fields=["alert", "channel_type", "target"], name="delivery_once_per_target"),
            models.CheckConstraint(
                name="delivered_or_error",
                condition=Q(status="delivered", delivered_at__isnull=False, error_type="")
                | (Q(status="failed", delivered_at=None) & ~Q(error_type=""))
                | Q(status="pending", delivered_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel_type}: {self.status}"
