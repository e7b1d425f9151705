"""What webhooks are sent: signed for those who check it, and in Slack's shape."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from upstream import alerts
from upstream.models import Alert, AlertChannel, AlertDelivery, Customer, Payer
from upstream.tests.conftest import Calls, named, work
from upstream.tests.receiver import Received, receiver
from upstream.tests.test_alerts import raised

pytestmark = pytest.mark.django_db(transaction=True)

KEY = b"secret of mercy"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def sent(
    customer: Customer, payer: Payer, channel_type: str, secret: str = "", **changes: Any
) -> tuple[Alert, Received]:
    """An alert, and the one request by which a channel of the customer was told of it."""
    with receiver() as server:
        AlertChannel.objects.create(
            customer=customer, channel_type=channel_type, target=server.url("/hook"), secret=secret
        )
        alert = raised(customer, payer, **changes)
        work()
    (request,) = server.requests
    return alert, request


class TestWebhook:
    def test_is_signed(self, customer: Customer, payers: list[Payer], tracked: Calls) -> None:
        payers[0].name = "Ætna"
        alert, request = sent(customer, payers[0], "webhook", SECRET)
        delivery = alert.deliveries.get(channel_type="webhook")
        message_id, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        content = f"{message_id}.{timestamp}.".encode() + request.body
        expected = base64.b64encode(hmac.new(KEY, content, hashlib.sha256).digest()).decode()
        assert f"v1,{expected}" == request.headers["webhook-signature"]
        assert str(delivery.message_id) == message_id
        assert str(delivery.message_id) == alerts.verify(SECRET, request.headers, request.body)
        with pytest.raises(alerts.InvalidSignature):
            alerts.verify(SECRET, request.headers, request.body, now=time.time() + 302)
        assert [("DenialScope", "email", "mercy"), ("DenialScope", "webhook", "mercy")] == named(
            tracked, "track_alert_delivered"
        )

    def test_tells_what_happened(self, customer: Customer, payers: list[Payer]) -> None:
        alert, request = sent(customer, payers[0], "webhook", SECRET, subject="not covered")
        assert "application/json" == request.headers["content-type"]
        assert {
            "type": "alert.raised",
            "timestamp": alert.created_at.isoformat(),
            "data": {
                "alert": alert.pk,
                "customer": "mercy",
                "severity": "high",
                "title": alert.title,
                "body": alert.body,
                "product": "DenialScope",
                "drift_type": "denial_rate",
                "payer": "aetna",
                "subject": "not covered",
                "score": 0.75,
                "baseline": 0.08,
                "current": 0.3,
                "window_start": "2025-06-01",
                "window_end": "2025-06-30",
            },
        } == json.loads(request.body)

    @pytest.mark.parametrize(
        ("secret", "why"), [("", "the secret is empty"), ("whsec_?!", "the secret is not whsec_ followed by base64")]
    )
    def test_nothing_is_sent_unsigned(self, customer: Customer, payers: list[Payer], secret: str, why: str) -> None:
        with receiver() as server:
            AlertChannel.objects.create(
                customer=customer, channel_type="webhook", target=server.url("/hook"), secret=secret
            )
            raised(customer, payers[0])
            work()
        delivery = AlertDelivery.objects.get(channel_type="webhook")
        assert ("failed", "BadTarget", f"the webhook to 127.0.0.1 cannot be signed: {why}") == (
            delivery.status,
            delivery.error_type,
            delivery.error,
        )
        assert [] == server.requests


class TestSlack:
    def test_has_text_and_blocks(self, customer: Customer, payers: list[Payer]) -> None:
        payers[0].name = "A & <!channel>"
        alert, request = sent(customer, payers[0], "slack")
        message_id = alert.deliveries.get(channel_type="slack").message_id
        told = json.loads(request.body)
        assert "A &amp; &lt;!channel&gt; denies more claims: 8.0% to 30.0%" == told["text"]
        header, section, context = told["blocks"]
        assert ("header", "plain_text", alert.title) == (header["type"], header["text"]["type"], header["text"]["text"])
        assert ("section", "mrkdwn") == (section["type"], section["text"]["type"])
        assert section["text"]["text"].startswith(
            "DenialScope compared the claims that A &amp; &lt;!channel&gt; answered"
        )
        assert ("context", [{"type": "mrkdwn", "text": f"DenialScope · high · mercy · {message_id}"}]) == (
            context["type"],
            context["elements"],
        )
        assert str(message_id) == request.headers["webhook-id"]
        assert "webhook-signature" not in request.headers

    def test_fits_what_slack_takes(self, customer: Customer, payers: list[Payer]) -> None:
        payers[0].name = "&" * 200
        _, request = sent(customer, payers[0], "slack", subject="&" * 200)
        header, section, _ = json.loads(request.body)["blocks"]
        assert 150 == len(header["text"]["text"])
        assert len(section["text"]["text"]) <= 3000
