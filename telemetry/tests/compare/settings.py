"""The test project with caches and migrations, watched by either stack."""

from telemetry.tests.project.settings import *  # noqa: F403
from telemetry.tests.project.settings import STACK

_CACHES = "django_prometheus.cache.backends" if STACK == "django_prometheus" else "django.core.cache.backends"
CACHES = {"default": {"BACKEND": f"{_CACHES}.locmem.LocMemCache"}}
PROMETHEUS_EXPORT_MIGRATIONS = True
