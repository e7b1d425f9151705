"""The Django app of the product."""

from django.apps import AppConfig

from telemetry import runtime
from telemetry.business import budgets, declared


class UpstreamConfig(AppConfig):
    """Declares the business metrics, so that `/metrics` shows them before their first value and keeps their budgets."""

    name = "upstream"
    verbose_name = "Upstream"

    def ready(self) -> None:
        # Make the instruments, register the checks, declare the kinds of jobs.
        from upstream import metrics, monitoring_checks, tasks  # noqa: F401

        runtime.declare(declared(), budgets())
