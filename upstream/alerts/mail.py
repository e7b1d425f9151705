"""An alert as an e-mail."""

from __future__ import annotations

import smtplib
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMessage

from upstream.alerts.errors import BadTarget, DeliveryError, NoRecipient, Refused, TimedOut, Unavailable, Unreachable
from upstream.models import AlertDelivery


def send(delivery: AlertDelivery) -> None:
    """Hand the alert to the mail server, with a Message-ID that is the same at each attempt.

    Raises:
        NoRecipient: there is no address.
        BadTarget: what there is, is no address.
        Refused: the server refused the address for good (5xx).
        Unavailable: the server answered anything else that is no success.
        Unreachable: no connection, or it broke.
        TimedOut: the server was silent for `EMAIL_TIMEOUT` seconds.
    """
    alert = delivery.alert
    if not delivery.target:
        raise NoRecipient(
            f"alert {alert.pk}: nobody to tell; give customer {alert.customer.code!r} an alert_email or a channel, "
            "or set UPSTREAM_ALERT_RECIPIENTS"
        )
    message = EmailMessage(
        alert.title, alert.body, None, [delivery.target], headers={"Message-ID": message_id(delivery)}
    )
    failure: DeliveryError
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted(code for code, _ in error.recipients.values())
        kind = Refused if codes[0] >= 500 else Unavailable
        failure = kind(f"the mail server refused the address: {codes[0]}")
    except smtplib.SMTPResponseException as error:
        failure = Unavailable(f"the mail server answered {error.smtp_code}")
    except TimeoutError:
        failure = TimedOut("the mail server did not answer in time")
    except ValueError:
        failure = BadTarget("the address of the recipient is not valid")
    except OSError as error:
        failure = Unreachable(f"the mail server cannot be reached ({type(error).__name__})")
    else:
        return
    # Raised out here, so that the library's error, which quotes addresses, is not in the traceback.
    raise failure


def message_id(delivery: AlertDelivery) -> str:
    """The Message-ID, by which a receiver tells the same message sent twice."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return f"<{delivery.message_id}.{delivery.alert_id}@{domain}>"
