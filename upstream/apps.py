"""The Django app of the product."""

from django.apps import AppConfig

from telemetry import runtime
from telemetry.business import declared


class UpstreamConfig(AppConfig):
    """Declares the business metrics, so that `/metrics` shows them before their first value."""

    name = "upstream"
    verbose_name = "Upstream"

    def ready(self) -> None:
        from upstream import metrics, monitoring_checks  # noqa: F401 - make the instruments, register the checks

        runtime.declare(declared())
