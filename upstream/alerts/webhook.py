"""An alert as a signed webhook."""

from __future__ import annotations

import json
import time

from upstream import signing
from upstream.alerts import http
from upstream.alerts.errors import BadTarget
from upstream.models import Alert, AlertDelivery


def send(delivery: AlertDelivery, secret: str) -> None:
    """Post the alert as JSON, signed with the channel's secret; see `signing` for what a receiver does.

    `webhook-id` and the body are the same at each attempt, the timestamp and with it the signature are not.

    Raises:
        DeliveryError: as `http.post`; BadTarget also where the secret is empty or malformed.
    """
    message_id, now, body = str(delivery.message_id), int(time.time()), payload(delivery.alert)
    try:
        signature = signing.sign(secret, message_id, now, body)
    except ValueError as error:
        raise BadTarget(f"the webhook to {http.host_of(delivery.target)} cannot be signed: {error}") from None
    headers = {"webhook-id": message_id, "webhook-timestamp": str(now), "webhook-signature": signature}
    http.post(delivery.target, body, headers)


def payload(alert: Alert) -> bytes:
    """What is sent about an alert: UTF-8 JSON of `type`, `timestamp` (when it was raised) and `data`."""
    event = alert.event
    data = {
        "alert": alert.pk,
        "customer": alert.customer.code,
        "severity": alert.severity,
        "title": alert.title,
        "body": alert.body,
        "product": event.product,
        "drift_type": event.drift_type,
        "payer": event.payer.code,
        "subject": event.subject,
        "score": event.severity,
        "baseline": event.baseline,
        "current": event.current,
        "window_start": event.window_start.isoformat(),
        "window_end": event.window_end.isoformat(),
    }
    content = {"type": "alert.raised", "timestamp": alert.created_at.isoformat(), "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
