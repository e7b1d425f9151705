"""The `--customer` option that several commands share."""

from __future__ import annotations

from django.core.management.base import CommandError

from upstream.models import Customer


def find_customer(code: str) -> Customer:
    """The customer with this code.

    Raises:
        CommandError: there is none; the message names those there are (ten at most).
    """
    try:
        return Customer.objects.get(code=code)
    except Customer.DoesNotExist:
        known = ", ".join(Customer.objects.order_by("code").values_list("code", flat=True)[:10]) or "none yet"
        raise CommandError(f"customer {code!r} is not known; known: {known}") from None
