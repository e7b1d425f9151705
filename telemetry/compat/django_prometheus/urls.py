"""`path("", include("telemetry.compat.django_prometheus.urls"))`: the endpoint, as `telemetry.urls` has it."""

from telemetry.urls import urlpatterns

__all__ = ["urlpatterns"]
