"""Which drift events deserve an alert, and which of those are suppressed."""

from __future__ import annotations

import datetime

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from telemetry.business.drift import SeverityLevel
from upstream import metrics
from upstream.alerts.deliveries import plan
from upstream.alerts.words import words
from upstream.models import CRITICAL, Alert, DriftEvent

_RANKS = {str(severity): rank for rank, severity in enumerate(Alert.Severity.values)}


def raise_for(event: DriftEvent) -> Alert | None:
    """The alert on a drift event, with its deliveries on their way; none below the threshold or when suppressed.

    What counts are the earlier alerts on the same matter: the same customer, payer, drift type and subject.
    The first rule that applies is stored on the event:

    - duplicate: one of them was about the same last day, however long ago;
    - cooldown: one of them was raised less than `UPSTREAM_ALERT_COOLDOWN_HOURS` ago;
    - noise pattern: at least `UPSTREAM_ALERT_NOISE_COUNT` of them were raised less than
      `UPSTREAM_ALERT_NOISE_DAYS` ago, nobody has acknowledged any of these, and the event is not graver:
      its severity in words (low, medium, high, critical) is not above the highest of theirs.

    To be called in a transaction, and to be followed by `measure` when it has committed.
    """
    if event.severity < settings.UPSTREAM_ALERT_THRESHOLD:
        return None
    severity = _severity(event.severity)
    event.suppressed = _suppression(event, severity)
    if event.suppressed:
        event.save(update_fields=["suppressed"])
        return None
    title, body = words(event)
    alert = Alert.objects.create(event=event, customer=event.customer, severity=severity, title=title, body=body)
    plan(alert)
    return alert


def measure(event: DriftEvent, alert: Alert | None) -> None:
    """Record what became of an event: an alert, or none and why."""
    if alert:
        metrics.track_alert_created(event.product, alert.severity, event.customer.code)
    elif event.suppressed:
        metrics.track_alert_suppressed(event.product, event.suppressed, event.customer.code)


def _suppression(event: DriftEvent, severity: str) -> str:
    now = timezone.now()
    earlier = Alert.objects.filter(
        event__customer=event.customer,
        event__payer=event.payer,
        event__drift_type=event.drift_type,
        event__subject=event.subject,
    )
    if earlier.filter(event__window_end=event.window_end).exists():
        return DriftEvent.Suppressed.DUPLICATE
    cooldown = datetime.timedelta(hours=settings.UPSTREAM_ALERT_COOLDOWN_HOURS)
    if earlier.filter(created_at__gt=now - cooldown).exists():
        return DriftEvent.Suppressed.COOLDOWN
    days = datetime.timedelta(days=settings.UPSTREAM_ALERT_NOISE_DAYS)
    if _are_noise(earlier.filter(created_at__gt=now - days), severity):
        return DriftEvent.Suppressed.NOISE_PATTERN
    return ""


def _are_noise(recent: QuerySet[Alert], severity: str) -> bool:
    found = list(recent.values_list("severity", "acknowledged_at"))
    return (
        len(found) >= settings.UPSTREAM_ALERT_NOISE_COUNT
        and all(acknowledged_at is None for _, acknowledged_at in found)
        and any(_RANKS[severity] <= _RANKS[before] for before, _ in found)
    )


def _severity(score: float) -> str:
    return Alert.Severity.CRITICAL.value if score >= CRITICAL else SeverityLevel.of(score).value
