"""An alert in the shape that Slack's incoming webhooks read, and those of others that do as Slack does."""

from __future__ import annotations

import json

from upstream.alerts import http
from upstream.models import AlertDelivery

_HEADER_LENGTH = 150


def send(delivery: AlertDelivery) -> None:
    """Post the alert as `text` and `blocks`.

    Slack tells no repetition by itself: the message's id stands in small print, and in a `webhook-id` header.

    Raises:
        DeliveryError: as `http.post`.
    """
    http.post(delivery.target, payload(delivery), {"webhook-id": str(delivery.message_id)})


def payload(delivery: AlertDelivery) -> bytes:
    """What is sent: UTF-8 JSON of `text`, for notifications, and `blocks`, for the channel."""
    alert = delivery.alert
    small = f"{alert.event.product} · {alert.severity} · {alert.customer.code} · {delivery.message_id}"
    content = {
        "text": _escaped(alert.title),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": alert.title[:_HEADER_LENGTH], "emoji": False}},
            {"type": "section", "text": {"type": "mrkdwn", "text": _escaped(alert.body)}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": _escaped(small)}]},
        ],
    }
    return json.dumps(content, ensure_ascii=False).encode()


def _escaped(text: str) -> str:
    """The three characters by which Slack knows links and mentions, as it wants them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
