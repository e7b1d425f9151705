from django.apps import AppConfig

from telemetry import conf
from telemetry.endpoint import listen_when_serving


class ListenerConfig(AppConfig):
    """Waits for this process to serve, with the port of the settings."""

    name = "telemetry.tests.servers.listener"

    def ready(self) -> None:
        listen_when_serving(conf.load())
