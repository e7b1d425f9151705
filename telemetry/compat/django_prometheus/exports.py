"""The exports of django-prometheus 2.5.0: the view, and a port that answers for all processes of the service.

Where the original gave each worker a port of its own, or refused, one process answers here and the others stand by:
also under `--preload` and under `runserver`'s reloader.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from http.server import HTTPServer
from typing import Any

from telemetry import conf
from telemetry.endpoint import Endpoint
from telemetry.views import metrics

__all__ = [
    "ExportToDjangoView",
    "PrometheusEndpointServer",
    "SetupPrometheusEndpointOnPort",
    "SetupPrometheusEndpointOnPortRange",
    "SetupPrometheusExportsFromConfig",
]

ExportToDjangoView = metrics


def SetupPrometheusEndpointOnPort(port: int, addr: str = "") -> None:
    """Have the service answer on this port; `addr` is where to listen, empty for everywhere.

    A port that is taken is no error: it is tried again, and said in the log if it is another service that has it.
    """
    _listen((int(port),), addr)


def SetupPrometheusEndpointOnPortRange(port_range: Iterable[int], addr: str = "") -> int | None:
    """Have the service answer on the first free port of these, one for all of its processes.

    The port where it answers, be it from this process or another; None where none is free, or not known yet.
    """
    return _listen(tuple(map(int, port_range)), addr).port


def SetupPrometheusExportsFromConfig() -> None:
    """What the settings `PROMETHEUS_METRICS_EXPORT_*` ask for, in this very process.

    Servers need no call: the app does it for them. A worker without HTTP, as Celery's, may make it.

    Raises:
        ConfigurationError: a setting is not valid; the message names it.
    """
    config = conf.load()
    if config.metrics_ports:
        SetupPrometheusEndpointOnPortRange(config.metrics_ports, config.metrics_address)
    elif config.metrics_port:
        SetupPrometheusEndpointOnPort(config.metrics_port, config.metrics_address)


class PrometheusEndpointServer(threading.Thread):
    """A thread that runs the `serve_forever` of an HTTP server."""

    def __init__(self, httpd: HTTPServer, *args: Any, **kwargs: Any) -> None:
        self.httpd = httpd
        super().__init__(*args, **kwargs)

    def run(self) -> None:
        """Serve until the server is shut down."""
        self.httpd.serve_forever()


def _listen(ports: tuple[int, ...], address: str) -> Endpoint:
    # Called twice with the same ports, as in settings and by hand, it is the same endpoint.
    endpoint = _endpoints.get((ports, address))
    if endpoint is None:
        endpoint = _endpoints[ports, address] = Endpoint(ports, address)
    endpoint.start(now=True)
    return endpoint


_endpoints: dict[tuple[tuple[int, ...], str], Endpoint] = {}
