"""`python -m upstream.demo.prepare RECEIVER_URL SECRET`: the customers of the demo, their channels and their tokens.

Prints the tokens as JSON, by the customer's code.
"""

from __future__ import annotations

import json
import sys

import django

DEMO, BUSY = "demo", "busy"


def main(receiver: str, secret: str) -> None:
    """Give the customer DEMO a webhook, a Slack channel and a webhook that is gone, and both customers a token."""
    django.setup()
    from upstream.models import AlertChannel, ApiToken, Customer

    demo = Customer.objects.get(code=DEMO)
    demo.alert_email = "claims@demo.localhost"
    demo.save()
    busy = Customer.objects.create(code=BUSY, name="One that asks too often")
    for channel_type, path in (("webhook", "alerts"), ("slack", "slack"), ("webhook", "gone")):
        AlertChannel.objects.create(
            customer=demo, channel_type=channel_type, target=f"{receiver}/{path}", secret=secret
        )
    tokens = {customer.code: ApiToken.issue(customer, "demo")[1] for customer in (demo, busy)}
    sys.stdout.write(json.dumps(tokens))


if __name__ == "__main__":
    main(*sys.argv[1:])
