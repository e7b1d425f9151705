"""A TCP relay before a server, which can go away, hang and cut connections as a real network does."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from enum import StrEnum

_MIDST = 400
"""Bytes from the client before a close: beyond the handshakes of HTTP/2, and less than any export."""
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: a close sends a reset


class Path(StrEnum):
    """What becomes of a connection."""

    OPEN = "open"
    """Bytes go through."""
    AWAY = "away"
    """Nobody listens."""
    HANGING = "hanging"
    """Connections are accepted, and nothing is ever read or answered."""
    CUT = "cut"
    """The first bytes are taken, then the connection is reset."""
    CLOSING = "closing"
    """Bytes go through, but the connection is closed in the midst of what the client sends."""


class Relay:
    """Listens on one free port of 127.0.0.1 for as long as it exists, but for when it is away."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._path = Path.AWAY
        self._listener: socket.socket | None = None
        self.port = 0
        self.connections = 0
        """How many connections were accepted so far."""
        self.received = 0
        """How many bytes came from clients so far."""
        self.turn(Path.OPEN)

    def turn(self, path: Path) -> None:
        """Treat connections this way from now on; those that are open are reset."""
        with self._lock:
            self._path = path
            open_, self._sockets = self._sockets, set()
        for each in open_:
            _reset(each)
        if path is Path.AWAY:
            self._stop_listening()
        elif self._listener is None:
            self._listener = listener = socket.create_server(("127.0.0.1", self.port))
            self.port = listener.getsockname()[1]
            self._begin(self._listen, listener)

    def close(self) -> None:
        """Reset what is open and let the port go."""
        self.turn(Path.AWAY)
        for thread in self._threads:
            thread.join(10)

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _begin(self, work: object, *args: object) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            self._begin(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        path = self._path
        if not self._keep(client, path):
            return
        if path is Path.CUT:
            with contextlib.suppress(OSError):
                client.recv(512)
            _reset(client)
        elif path in (Path.OPEN, Path.CLOSING):
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                _reset(client)
                return
            if self._keep(server, path):
                self._begin(_pump, server, client)
                for data in _pumped(client, server, _MIDST if path is Path.CLOSING else None):
                    self.received += len(data)

    def _keep(self, connection: socket.socket, path: Path) -> bool:
        with self._lock:
            if self._path is path:
                self._sockets.add(connection)
                return True
        _reset(connection)
        return False


def _pump(source: socket.socket, target: socket.socket) -> None:
    for _ in _pumped(source, target):
        pass


def _pumped(source: socket.socket, target: socket.socket, most: int | None = None) -> Iterator[bytes]:
    """Pass bytes on until there are no more, or so many have gone through."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536 if most is None else most):
            target.sendall(data)
            yield data
            if most is not None:
                most -= len(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RD)  # wakes a thread that reads from it
    connection.close()
