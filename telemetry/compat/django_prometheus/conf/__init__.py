"""The two settings that django-prometheus's own modules read; the defaults as long as there are no settings."""

from __future__ import annotations

from django.conf import settings  # noqa: TID251  # asks whether there are settings, and reads none

from telemetry import conf
from telemetry.catalogue.buckets import LATENCY

NAMESPACE: str
"""What stands before the names of the `django_*` families, without the underscore."""

PROMETHEUS_LATENCY_BUCKETS: tuple[float, ...]
"""Upper bounds of the latency histograms' buckets, in seconds; the last is infinite."""


# Not once at import: settings modules import this to build on the default buckets.
def __getattr__(name: str) -> object:
    if name not in __annotations__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    config = conf.load() if settings.configured else None
    if name == "NAMESPACE":
        return config.namespace if config else ""
    return (*(config.latency_buckets if config else LATENCY), float("inf"))
