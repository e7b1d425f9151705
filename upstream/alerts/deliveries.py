"""Each way on which an alert leaves is a row and a job: planned, tried, delivered, or given up."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from upstream import jobs, metrics
from upstream.alerts import mail, slack, webhook
from upstream.alerts.errors import ChannelClosed, Gone
from upstream.models import Alert, AlertChannel, AlertDelivery, ChannelType, Job

KIND = "deliver"
"""The kind of job that delivers one alert on one way."""


def plan(alert: Alert) -> list[AlertDelivery]:
    """Have an alert delivered to whom it is for, once the caller's transaction has committed.

    That is the customer's `alert_email`, or else `UPSTREAM_ALERT_RECIPIENTS`, and every active channel of the
    customer. Where there is nobody, one delivery is made all the same, which fails as NoRecipient.
    """
    customer = alert.customer
    addresses = [customer.alert_email] if customer.alert_email else settings.UPSTREAM_ALERT_RECIPIENTS
    ways: dict[tuple[str, str], AlertChannel | None] = {(ChannelType.EMAIL, address): None for address in addresses}
    for channel in customer.channels.filter(active=True).order_by("pk"):
        ways.setdefault((channel.channel_type, channel.target), channel)
    deliveries = [
        AlertDelivery.objects.create(alert=alert, channel=channel, channel_type=channel_type, target=target)
        for (channel_type, target), channel in (ways or {(ChannelType.EMAIL, ""): None}).items()
    ]
    for delivery in deliveries:
        jobs.enqueue(KIND, customer, key=f"{KIND}:{delivery.pk}", delivery=delivery.pk)
    return deliveries


def deliver(run: jobs.Run) -> None:
    """Send one alert on one way, and store that; what is delivered, or has been removed, is left alone.

    To send and to store that it was sent cannot be one step. A process that is killed between the two, or is
    taken for dead, has sent the alert and left it pending; a receiver whose answer does not arrive may have it.
    Then it is sent again, under the same `webhook-id` or Message-ID, by which the receiver can tell that it has
    the alert already. What is stored as delivered is never sent again.

    Raises:
        DeliveryError: it was not delivered, as far as can be known.
    """
    delivery = (
        AlertDelivery.objects.select_related("alert__event__payer", "alert__customer", "channel")
        .filter(pk=run.job.arguments["delivery"])
        .exclude(status=AlertDelivery.Status.DELIVERED)
        .first()
    )
    if delivery is None:
        return
    row = AlertDelivery.objects.filter(pk=delivery.pk)
    row.update(attempts=F("attempts") + 1, last_tried_at=timezone.now())
    _send(delivery)
    now = timezone.now()
    alert = delivery.alert
    with run.completing():
        Alert.objects.filter(pk=alert.pk).update(status=Alert.Status.DELIVERED)
        row.update(status=AlertDelivery.Status.DELIVERED, delivered_at=now, error_type="", error="")
    product = alert.event.product
    metrics.track_alert_delivered(product, delivery.channel_type, alert.customer.code)
    # Another machine's clock may be behind that of the one which raised the alert.
    metrics.track_alert_processing(product, max(0.0, (now - alert.created_at).total_seconds()))


def give_up(job: Job) -> None:
    """Store that a delivery has failed for good, and that its alert has when all its deliveries have.

    A receiver that is gone is not written to again: its channel is deactivated. After WorkerLost nobody knows
    whether the last attempt reached the receiver; it counts as failed.
    """
    delivery = (
        AlertDelivery.objects.select_related("alert__event", "alert__customer")
        .filter(pk=job.arguments["delivery"])
        .exclude(status=AlertDelivery.Status.DELIVERED)
        .first()
    )
    if delivery is None:
        return
    # Of two that are given up at once, one must see that the other has failed too.
    alert = Alert.objects.select_for_update().get(pk=delivery.alert_id)
    AlertDelivery.objects.filter(pk=delivery.pk).update(
        status=AlertDelivery.Status.FAILED, error_type=job.error_type, error=job.error
    )
    if not alert.deliveries.exclude(status=AlertDelivery.Status.FAILED).exists():
        Alert.objects.filter(pk=alert.pk).update(status=Alert.Status.FAILED)
    if delivery.channel_id is not None and job.error_type == Gone.__name__:
        AlertChannel.objects.filter(pk=delivery.channel_id).update(active=False)
    labels = (delivery.alert.event.product, delivery.channel_type, job.error_type, delivery.alert.customer.code)
    transaction.on_commit(lambda: metrics.track_alert_failed(*labels))


def _send(delivery: AlertDelivery) -> None:
    channel = delivery.channel
    is_closed = delivery.channel_type != ChannelType.EMAIL if channel is None else not channel.active
    if is_closed:
        raise ChannelClosed("the channel was removed or deactivated after the alert had been raised")
    match ChannelType(delivery.channel_type):
        case ChannelType.EMAIL:
            mail.send(delivery)
        case ChannelType.SLACK:
            slack.send(delivery)
        case ChannelType.WEBHOOK:
            webhook.send(delivery, channel.secret if channel else "")
