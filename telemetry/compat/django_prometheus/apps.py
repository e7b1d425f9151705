"""The Django app for settings in which only the name was replaced."""

from django.apps import AppConfig

from telemetry import checks, conf, endpoint, runtime


class DjangoPrometheusConfig(AppConfig):
    """Starts the same runtime as `telemetry`'s app, which may stand beside it or not."""

    name = "telemetry.compat.django_prometheus"
    verbose_name = "Telemetry under the names of django-prometheus"

    def ready(self) -> None:
        checks.register_all()
        config = conf.load()
        runtime.start(config)
        endpoint.listen_when_serving(config)
