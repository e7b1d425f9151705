"""The HTTP server of the metrics: no part of the host's stack, and harmless whoever comes."""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import unquote_to_bytes

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse

_logger = logging.getLogger("telemetry")

View = Callable[[HttpRequest], HttpResponse]

CONNECTIONS = 32
"""How many clients are served at a time; of more, the one that came first has to go."""


class MetricsServer(ThreadingMixIn, TCPServer):
    """Listens on `port` (0: a free one) of `address` (empty: all, of IPv4 and IPv6), and answers with `view`.

    Raises:
        OSError: the port is taken or forbidden, or the address is none of this machine's.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    timeout = 0.5

    def __init__(self, address: str, port: int, view: View) -> None:
        self.view = view
        self._open: dict[socket.socket, None] = {}
        self._lock = threading.Lock()
        if not address and socket.has_dualstack_ipv6():
            self.address_family, address = socket.AF_INET6, "::"
        elif address:
            self.address_family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
        super().__init__((address, port), _Answer)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def server_bind(self) -> None:
        if self.server_address[0] == "::":
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            while len(self._open) >= CONNECTIONS:
                oldest = next(iter(self._open))
                del self._open[oldest]
                _hang_up(oldest)
            self._open[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Close the sockets of clients; in a forked child, its copies of them."""
        for connection in list(self._open):
            connection.close()
        self._open.clear()

    def handle_error(self, request: Any, client_address: Any) -> None:
        _logger.debug("telemetry: a client of the metrics' port left", exc_info=True)


class _Answer(BaseHTTPRequestHandler):
    """One request, on whatever path, as prometheus_client's server takes it; HEAD as well."""

    server: MetricsServer
    server_version = "telemetry"
    sys_version = ""
    default_request_version = "HTTP/1.0"  # what cannot be read gets an answer with a status, not one of HTTP/0.9
    timeout = 10.0

    def do_GET(self) -> None:
        if self.path == "/favicon.ico":
            self._answer(HttpResponse())
            return
        try:
            response = self.server.view(WSGIRequest(self._environ()))
        except Exception:
            _logger.exception("telemetry: a scrape failed")
            response = HttpResponse("The metrics cannot be had; the log says why.\n", "text/plain", 500)
        self._answer(response)

    do_HEAD = do_GET

    def do_OPTIONS(self) -> None:
        self._answer(HttpResponse(headers={"Allow": "GET, HEAD, OPTIONS"}))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library refuses: a method without a `do_` (501 there), a request it cannot read."""
        self.close_connection = True
        if code == HTTPStatus.NOT_IMPLEMENTED:
            text = "Use GET, HEAD or OPTIONS.\n"
            self._answer(HttpResponse(text, "text/plain", 405, headers={"Allow": "GET, HEAD, OPTIONS"}))
        else:
            self._answer(HttpResponse(f"{HTTPStatus(code).phrase}\n", "text/plain", code))

    def log_message(self, format: str, *args: Any) -> None:
        """A scraper comes every few seconds: nothing to tell."""

    def _answer(self, response: HttpResponse) -> None:
        self.send_response(response.status_code)
        for name, value in response.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.content)

    def _environ(self) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        host, port = self.server.server_address[:2]
        return {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": str(host),
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            **{"HTTP_" + name.upper().replace("-", "_"): value for name, value in self.headers.items()},
        }


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
