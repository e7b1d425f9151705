"""Alerts: which drift events deserve one, which are suppressed, and how each is delivered, on every way by a job.

An alert reaches a customer by e-mail, by a signed webhook (`signing` tells how a receiver checks it) or by
a webhook of the shape that Slack reads. What fails for now is tried again later under the same message id.
"""

from upstream.alerts.deliveries import KIND, deliver, give_up
from upstream.alerts.errors import DeliveryError
from upstream.alerts.rules import measure, raise_for
from upstream.signing import InvalidSignature, new_secret, verify

__all__ = [
    "KIND",
    "DeliveryError",
    "InvalidSignature",
    "deliver",
    "give_up",
    "measure",
    "new_secret",
    "raise_for",
    "verify",
]
