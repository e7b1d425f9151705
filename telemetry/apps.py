"""The Django app: `"telemetry"` in `INSTALLED_APPS` is all that a project needs."""

from django.apps import AppConfig

from telemetry import checks, conf, runtime


class TelemetryConfig(AppConfig):
    """Starts the runtime when Django is set up; running it again changes nothing."""

    name = "telemetry"
    verbose_name = "Telemetry"

    def ready(self) -> None:
        checks.register_all()
        runtime.start(conf.load())
