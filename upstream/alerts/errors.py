"""Why an alert could not be delivered.

The class names are the `error_type` of deliveries and metrics. The messages are stored, logged and shown:
they name a host and a status, never a whole URL, an address or a secret.
"""

from __future__ import annotations

from upstream.errors import Later, Permanent


class DeliveryError(Exception):
    """An alert could not be delivered."""


class NoRecipient(DeliveryError, Permanent):
    """Nobody is to be told: neither the customer nor the settings name an address, and there is no channel."""


class ChannelClosed(DeliveryError, Permanent):
    """The channel was removed or deactivated after the alert had been raised."""


class BadTarget(DeliveryError, Permanent):
    """Nothing may or can be sent there: no https URL, an address in a private network, no usable secret."""


class Refused(DeliveryError, Permanent):
    """The receiver answered that it does not want this message, now or later."""


class Gone(Refused):
    """The receiver answered that it does not exist any more: 410."""


class Unavailable(Later, DeliveryError):
    """The receiver answered that it cannot take the message now."""


class Unreachable(DeliveryError):
    """No connection to the receiver, or one that broke before its answer, so that it may have got the message."""


class TimedOut(DeliveryError):
    """The receiver was silent for too long; it may have got the message."""
