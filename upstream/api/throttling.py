"""How often a customer may call, all its tokens together; `UPSTREAM_API_…` in the settings has the rates."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from upstream.api.authentication import customer_of


class PerCustomer(SimpleRateThrottle):
    """A rate of each customer's own. Calls in the same instant may be let through one too many: the cache has no lock.

    `scope` is the name of the limit, in the settings and on the metrics.
    """

    scope: str

    def get_rate(self) -> str:
        rate: str = getattr(settings, f"UPSTREAM_API_{self.scope.upper()}")
        return rate

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        customer = customer_of(request)
        return self.cache_format % {"scope": self.scope, "ident": customer.pk} if customer else None


class Burst(PerCustomer):
    """Many calls at once."""

    scope = "burst"


class Sustained(PerCustomer):
    """Many calls all day."""

    scope = "sustained"


class Uploads(PerCustomer):
    """Files, which cost more than other calls."""

    scope = "uploads"


class Jobs(PerCustomer):
    """Detection and reports, which all customers' workers share the time for."""

    scope = "jobs"
