"""Alerts: which drift events deserve one, which are suppressed, and how they are delivered."""

from __future__ import annotations

import datetime

from django.conf import settings
from django.core.mail import send_mail
from django.utils import timezone

from telemetry.business.drift import SeverityLevel
from upstream import jobs, metrics
from upstream.models import CRITICAL, Alert, DriftEvent, Job

KIND = "deliver"
"""The kind of job that delivers one alert on one way."""


class DeliveryError(Exception):
    """An alert could not be delivered."""


class NoRecipient(DeliveryError):
    """Nobody is to be told: neither the customer nor the settings name an address."""


def raise_for(event: DriftEvent) -> Alert | None:
    """The alert on a drift event, or none below the threshold or when suppressed.

    Suppressed as a duplicate: the same payer, drift type and last day were alerted before. By
    cooldown: the same payer and drift type were alerted less than `UPSTREAM_ALERT_COOLDOWN_HOURS` ago.
    To be called in a transaction, and to be followed by `measure` when it has committed.
    """
    if event.severity < settings.UPSTREAM_ALERT_THRESHOLD:
        return None
    earlier = Alert.objects.filter(
        event__customer=event.customer, event__payer=event.payer, event__drift_type=event.drift_type
    )
    cooldown = datetime.timedelta(hours=settings.UPSTREAM_ALERT_COOLDOWN_HOURS)
    if earlier.filter(event__window_end=event.window_end).exists():
        event.suppressed = DriftEvent.Suppressed.DUPLICATE
    elif earlier.filter(created_at__gt=timezone.now() - cooldown).exists():
        event.suppressed = DriftEvent.Suppressed.COOLDOWN
    if event.suppressed:
        event.save(update_fields=["suppressed"])
        return None
    title, body = _words(event)
    return Alert.objects.create(
        event=event, customer=event.customer, severity=_severity(event.severity), title=title, body=body
    )


def measure(event: DriftEvent, alert: Alert | None) -> None:
    """Record what became of an event: an alert, or none and why."""
    if alert:
        metrics.track_alert_created(event.product, alert.severity, event.customer.code)
    elif event.suppressed:
        metrics.track_alert_suppressed(event.product, event.suppressed, event.customer.code)


def deliver(run: jobs.Run) -> None:
    """Not there yet."""
    raise NotImplementedError


def give_up(job: Job) -> None:
    """Not there yet."""
    raise NotImplementedError


def _send(alert: Alert) -> None:
    recipients = [alert.customer.alert_email] if alert.customer.alert_email else settings.UPSTREAM_ALERT_RECIPIENTS
    if not recipients:
        raise NoRecipient(
            f"alert {alert.pk}: nobody to tell; give customer {alert.customer.code!r} an alert_email "
            "or set UPSTREAM_ALERT_RECIPIENTS"
        )
    send_mail(alert.title, alert.body, None, recipients)


def _severity(score: float) -> str:
    return Alert.Severity.CRITICAL if score >= CRITICAL else SeverityLevel.of(score)


def _words(event: DriftEvent) -> tuple[str, str]:
    payer = event.payer.name
    if event.drift_type == DriftEvent.DriftType.DENIAL_RATE:
        title = f"{payer} denies more claims: {event.baseline:.1%} to {event.current:.1%}"
    else:
        title = f"{payer} pays later: median {event.baseline:g} to {event.current:g} days"
    return title, (
        f"{event.product} compared the claims that {payer} answered from {event.window_start} to {event.window_end} "
        f"({event.current_size:,}) with the {event.baseline_size:,} before.\n"
        f"Severity {event.severity:.2f}, effect size {event.effect:.2f}, p = {event.p_value:.2g}.\n"
    )
