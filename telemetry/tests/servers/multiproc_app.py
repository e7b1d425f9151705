"""A WSGI application of the test project with metrics that its own code makes with prometheus_client."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.core.wsgi import get_wsgi_application
from prometheus_client import Counter, Gauge

from telemetry.compat.django_prometheus.middleware import Metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

django_application = get_wsgi_application()

SITE = Metrics.get_instance().register_metric(Counter, "django_site_calls", "As subclasses of the middlewares do.")
CALLS = Counter("own_calls", "Calls of this application.", ["path"])
WORKERS = Gauge("own_workers", "Workers that have been called.", multiprocess_mode="livesum")


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Count the call, then let Django answer."""
    CALLS.labels(environ["PATH_INFO"]).inc()
    WORKERS.set(1)
    SITE.inc()
    return django_application(environ, start_response)
