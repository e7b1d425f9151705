"""The API as a customer's program calls it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from upstream.demo.failure import DemoFailed
from upstream.demo.processes import HOST, TIMEOUT

ENDED = ("completed", "failed")
_BOUNDARY = "upstream-demo-boundary"

Answer = dict[str, Any]


def request(
    port: int, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """One request on a connection of its own: status and body."""
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Client:
    """What one token can do."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._headers = {"Authorization": f"Token {token}"}

    def status(self, path: str) -> int:
        """The status with which a GET is answered."""
        return request(self._port, "GET", f"/api/v1/{path}", None, self._headers)[0]

    def get(self, path: str) -> Answer:
        """The answer to a GET, which must succeed."""
        return self._answer(path, *request(self._port, "GET", f"/api/v1/{path}", None, self._headers))

    def text(self, path: str) -> bytes:
        """What is not JSON."""
        status, body = request(self._port, "GET", f"/api/v1/{path}", None, self._headers)
        if status != 200:
            raise DemoFailed(f"GET {path}: the service answers {status}: {_shown(body)}")
        return body

    def post(self, path: str, **fields: Any) -> Answer:
        """The answer to a POST of these fields, which must be accepted."""
        headers = {**self._headers, "Content-Type": "application/json"}
        return self._answer(path, *request(self._port, "POST", f"/api/v1/{path}", json.dumps(fields), headers))

    def upload(self, claims: Path, told: Callable[[int, int], None] = lambda sent, size: None) -> Answer:
        """Send a file of claims without holding it in memory; `told` is told how many bytes have gone."""
        before = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{claims.name}"\r\n'
            "Content-Type: text/csv\r\n\r\n"
        ).encode()
        after = f"\r\n--{_BOUNDARY}--\r\n".encode()
        size = claims.stat().st_size
        headers = {
            **self._headers,
            "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
            "Content-Length": str(len(before) + size + len(after)),
        }
        with claims.open("rb") as source:
            body = _body(before, source, after, size, told)
            return self._answer("upload", *request(self._port, "POST", "/api/v1/batches/", body, headers))

    def wait(self, job: Answer, every: Callable[[], None] = lambda: None, seconds: float = TIMEOUT) -> Answer:
        """The job when it has ended; `every` is called before each look."""
        deadline = time.monotonic() + seconds
        while job["status"] not in ENDED:
            if time.monotonic() > deadline:
                raise DemoFailed(f"job {job['id']} ({job['name']}) has not ended within {seconds:g} s: {job['status']}")
            time.sleep(0.5)
            every()
            job = self.get(f"jobs/{job['id']}/")
        return job

    def wait_for_all(self, job_type: str) -> list[Answer]:
        """All jobs of a type, when all have ended."""
        return [self.wait(job) for job in self.get(f"jobs/?job_type={job_type}")["results"]]

    def _answer(self, what: str, status: int, body: bytes) -> Answer:
        if status not in (200, 201, 202):
            raise DemoFailed(f"{what}: the service answers {status}: {_shown(body)}")
        answer: Answer = json.loads(body)
        return answer


def _body(
    before: bytes, source: BinaryIO, after: bytes, size: int, told: Callable[[int, int], None]
) -> Iterator[bytes]:
    yield before
    sent = 0
    while block := source.read(65_536):
        yield block
        sent += len(block)
        told(sent, size)
    yield after


def _shown(body: bytes) -> str:
    return body[:1000].decode("utf-8", "replace")
