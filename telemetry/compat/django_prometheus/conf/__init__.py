"""The two settings that django-prometheus's own modules read, once, when this is imported."""

from __future__ import annotations

from django.conf import settings  # noqa: TID251  # asks whether there are settings, and reads none

from telemetry import conf
from telemetry.catalogue.buckets import LATENCY

NAMESPACE = ""
"""What stands before the names of the `django_*` families, without the underscore."""

PROMETHEUS_LATENCY_BUCKETS: tuple[float, ...] = (*LATENCY, float("inf"))
"""Upper bounds of the latency histograms' buckets, in seconds."""

# Settings modules import this for the default buckets, before there are settings.
if settings.configured:
    _config = conf.load()
    NAMESPACE = _config.namespace
    PROMETHEUS_LATENCY_BUCKETS = (*_config.latency_buckets, float("inf"))
