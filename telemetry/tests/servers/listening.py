"""Settings of the test project with an export port, as the environment gives it; `PORTS` is one or a range."""

import os

from telemetry.tests.project.settings import *  # noqa: F403

_first, _, _last = os.environ["PORTS"].partition("-")
if _last:
    PROMETHEUS_METRICS_EXPORT_PORT_RANGE = range(int(_first), int(_last) + 1)
else:
    PROMETHEUS_METRICS_EXPORT_PORT = int(_first)
PROMETHEUS_METRICS_EXPORT_ADDRESS = "127.0.0.1"
ALLOWED_HOSTS = os.environ.get("HOSTS", "*").split(",")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"telemetry": {"handlers": ["console"], "level": "INFO"}},
}
INSTALLED_APPS = ["telemetry"]
