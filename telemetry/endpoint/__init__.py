"""The metrics on a port of their own: one process of a service answers there for all of them.

`PROMETHEUS_METRICS_EXPORT_PORT`, `_PORT_RANGE` and `_ADDRESS` of django-prometheus 2.5.0, without a port per
worker. The processes that serve requests stand for election; the winner listens, the others try again every few
seconds, so that the next takes over when it dies. The page and its access rules are those of the Django view.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse

from telemetry import conf, runtime, views
from telemetry.endpoint._claim import Claim
from telemetry.endpoint._election import Election
from telemetry.endpoint._server import MetricsServer
from telemetry.errors import ConfigurationError, StoreUnavailable

__all__ = ["Endpoint", "MetricsServer", "listen_when_serving"]

_logger = logging.getLogger("telemetry")

_PATIENCE = 3
"""After how many tries it is said that a port is taken: a service that is just ending may have it for some seconds."""


class Endpoint(Election):
    """Has one process of the service answer on the first port of `ports` that is free.

    `address` is where to listen, empty for everywhere. `directory` tells where the processes of the service meet;
    where it tells None, the port alone decides between them.
    """

    def __init__(
        self,
        ports: tuple[int, ...],
        address: str = "",
        serve: Callable[[HttpRequest], HttpResponse] = views.metrics,
        directory: Callable[[], Path | None] | None = None,
    ) -> None:
        super().__init__()
        self.ports = ports
        self.address = address
        self._serve = serve
        self._directory = directory or store_directory
        self._claim: Claim | None = None
        self._server: MetricsServer | None = None
        self._losses = 0
        self._warned = False

    @property
    def port(self) -> int | None:
        """Where the service answers, be it from this process or another; None where nobody is known to."""
        if self._server is not None:
            return self._server.port
        return self._claim.told() if self._claim is not None else None

    def seek(self) -> bool:
        """Claim the right to answer, then listen."""
        if self._claim is None:
            self._claim = Claim(self._directory())
        if not self._claim.take():
            return False
        reason: OSError | None = None
        for port in self.ports:
            try:
                self._server = MetricsServer(self.address, port, self._serve)
            except OSError as error:
                reason = error
            else:
                self._claim.tell(port)
                _logger.info("telemetry: serving the metrics of all processes on port %d", port)
                return True
        self._losses += 1
        self._claim.tell(0)
        # Without a claim to tell them apart, a taken port is most likely another process of this service.
        if reason is not None and (self._claim.shared or reason.errno != errno.EADDRINUSE):
            self._warn(reason)
        return False

    def work(self) -> None:
        """Answer whoever comes within half a second."""
        if self._server is not None:
            self._server.handle_request()

    def resign(self) -> None:
        """Let go of the port and of the right to it."""
        if self._server is not None:
            self._server.server_close()
            self._server = None
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    def disown(self) -> None:
        """Close the copies of the parent's sockets and of its claim."""
        if self._server is not None:
            self._server.close_connections()
        self.resign()

    def _warn(self, reason: OSError) -> None:
        if self._losses >= _PATIENCE and not self._warned:
            self._warned = True
            _logger.warning(
                "telemetry: the metrics are not served on port %s of %s: %s; trying on",
                " or ".join(map(str, self.ports)) if len(self.ports) < 4 else f"{self.ports[0]} to {self.ports[-1]}",
                self.address or "any address",
                reason.strerror or reason,
            )


def store_directory() -> Path | None:
    """The directory that the processes of the service share; None where there is none."""
    with contextlib.suppress(ConfigurationError, StoreUnavailable):
        directory = getattr(runtime.get().store, "directory", None)
        if directory is not None:
            directory.prepare()
            return Path(directory.path)
    return None


def listen_when_serving(config: conf.Config) -> None:
    """Start the endpoint that the settings ask for as soon as this process turns out to serve requests.

    That is when a WSGI or ASGI application is made, which every server does and no command but `runserver`. A test
    run listens nowhere. Only the first call of a process counts.
    """
    global _configured
    ports = config.metrics_ports or ((config.metrics_port,) if config.metrics_port else ())
    if _configured is not None or not ports or conf.under_tests():
        return
    _configured = Endpoint(ports, config.metrics_address)
    for handler in (WSGIHandler, ASGIHandler):
        _after_init(handler, _configured.start)


_configured: Endpoint | None = None


def _after_init(handler: type[Any], start: Callable[[], None]) -> None:
    made = handler.__init__

    @functools.wraps(made)
    def make(self: Any, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        try:
            start()
        except Exception:
            _logger.exception("telemetry: the metrics are not served on a port of their own")

    handler.__init__ = make
