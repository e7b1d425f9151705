"""As much of WebSocket (RFC 6455) as uvicorn needs for a test: short text messages, without a library."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
from typing import Any

_TEXT, _CLOSE = 0x81, 0x88


def _accept(key: bytes) -> bytes:
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


def _take(data: bytearray) -> tuple[int, bytes] | None:
    """The first whole frame of at most 125 bytes, taken off the data."""
    if len(data) < 2:
        return None
    length, masked = data[1] & 0x7F, bool(data[1] & 0x80)
    start = 6 if masked else 2
    if len(data) < start + length:
        return None
    kind, payload = data[0], bytes(data[start : start + length])
    if masked:
        payload = bytes(byte ^ data[2 + at % 4] for at, byte in enumerate(payload))
    del data[: start + length]
    return kind, payload


class Protocol(asyncio.Protocol):
    """What `uvicorn --ws` takes."""

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
        self._app = config.loaded_app
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._data = bytearray()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._task is None:
            head, _, rest = bytes(self._data).partition(b"\r\n\r\n")
            self._data = bytearray(rest)
            request, *lines = head.split(b"\r\n")
            headers = [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines)]
            self._key = dict(headers)[b"sec-websocket-key"]
            path = request.split()[1]
            scope: dict[str, Any] = {"type": "websocket", "path": path.decode(), "raw_path": path, "query_string": b""}
            scope |= {"headers": headers, "subprotocols": [], "scheme": "ws", "client": None, "server": None}
            self._messages.put_nowait({"type": "websocket.connect"})
            self._task = asyncio.get_running_loop().create_task(self._app(scope, self._messages.get, self._send))
        while frame := _take(self._data):
            kind, payload = frame
            if kind == _TEXT:
                self._messages.put_nowait({"type": "websocket.receive", "text": payload.decode()})

    def connection_lost(self, exc: Exception | None) -> None:
        self._messages.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.accept":
            self._transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + _accept(self._key) + b"\r\n\r\n"
            )
        elif message["type"] == "websocket.send":
            payload = message["text"].encode()
            self._transport.write(bytes([_TEXT, len(payload)]) + payload)
        elif not self._transport.is_closing():
            self._transport.write(bytes([_CLOSE, 0]))
            self._transport.close()


class Client:
    """A client's side, from its handshake on."""

    def __init__(self, port: int, path: str) -> None:
        key = base64.b64encode(b"sixteen bytes...")
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: testserver\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key.decode()}\r\n\r\n".encode()
        )
        head = bytearray()
        while not head.endswith(b"\r\n\r\n"):
            head += self._read(1)
        assert b" 101 " in head.splitlines()[0], bytes(head)
        assert _accept(key) in head

    def ask(self, text: str) -> str:
        """Send one message; the one that comes back."""
        payload, mask = text.encode(), b"mask"
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self._socket.sendall(bytes([_TEXT, 0x80 | len(payload)]) + mask + masked)
        data = bytearray()
        while (frame := _take(data)) is None:
            data += self._read(200)
        return frame[1].decode()

    def leave(self) -> None:
        """Go without a word."""
        self._socket.close()

    def _read(self, most: int) -> bytes:
        data = self._socket.recv(most)
        assert data, "the server has closed the connection"
        return data
