"""A real HTTP server on a port of its own that keeps what it is sent and answers as it is told to."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SILENCE = "silence"
HANG_UP = "hang up"
Answer = int | str
"""A status; or SILENCE, until the server is stopped; or HANG_UP, without a word."""


@dataclass(frozen=True)
class Received:
    """One request; the names of the headers are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What was received. The answers are given one by one, the last of them again and again."""

    port: int
    answers: list[Answer]
    headers: dict[str, str] = field(default_factory=dict)
    """Sent along with each status."""
    requests: list[Received] = field(default_factory=list)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def receiver(*answers: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A server that runs as long as the block, and answers 200 where nothing else is asked for."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            found.requests.append(Received(self.path, headers, body))
            answer = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            if answer == SILENCE:
                over.wait(60)
            if isinstance(answer, str):
                self.close_connection = True
                return
            self.send_response(answer)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            # Of clients that end the connection before its time, as some tests want.
            pass

    server = Server(("127.0.0.1", 0), Handler)
    found = Receiver(server.server_address[1], list(answers) or [200])
    if tls:
        # The handshake is the handler's, so that a client that fails in it does not stop the server.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
