"""The Django app: `"telemetry"` in `INSTALLED_APPS` is all that a project needs."""

from django.apps import AppConfig

from telemetry import checks, conf, endpoint, runtime


class TelemetryConfig(AppConfig):
    """Starts the runtime when Django is set up; running it again changes nothing."""

    name = "telemetry"
    verbose_name = "Telemetry"

    def ready(self) -> None:
        checks.register_all()
        config = conf.load()
        runtime.start(config)
        endpoint.listen_when_serving(config)
