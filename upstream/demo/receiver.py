"""Where the demo's alerts arrive: a webhook receiver on 127.0.0.1, as a customer would have one."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from upstream.signing import InvalidSignature, verify


@dataclass
class Received:
    """What has arrived: alerts by their id, messages as Slack gets them, and why a signature was refused."""

    secret: str
    alerts: dict[str, Any] = field(default_factory=dict)
    messages: list[Any] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    url: str = ""

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """The status with which a request is answered."""
        if path == "/slack":
            self.messages.append(json.loads(body))
            return 200
        if path != "/alerts":
            return 410
        try:
            message_id = verify(self.secret, headers, body)
        except InvalidSignature as error:
            self.refused.append(str(error))
            return 400
        self.alerts[message_id] = json.loads(body)
        return 204


@contextmanager
def receiver(host: str, secret: str) -> Iterator[Received]:
    """A receiver on a free port, until the block ends."""
    received = Received(secret)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(received.take(self.path, dict(self.headers), body))
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Nothing: the demo tells what came."""

    server = http.server.ThreadingHTTPServer((host, 0), Handler)
    received.url = f"http://{host}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
