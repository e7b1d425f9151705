"""A client with cookies that sends the script to a server, each request on a connection of its own."""

from __future__ import annotations

import http.client
import time
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

from telemetry.tests.dropin.script import LEFT, Step


class Client:
    """Sends to a site on this port of 127.0.0.1, whose files are in `directory`."""

    def __init__(self, port: int, directory: Path) -> None:
        self._port = port
        self._directory = directory
        self._cookies: dict[str, str] = {}
        self._left = 0

    def send(self, step: Step) -> None:
        """Send the step as often as it says, and hold it to its status."""
        for _ in range(step.times):
            if step.status == LEFT:
                self._leave(step)
                continue
            connection = self._sent(step)
            response = connection.getresponse()
            body, cut = _whole(response)
            connection.close()
            assert (step.status, step.cut) == (response.status, cut), (step, body[:2000])
            for name, morsel in SimpleCookie("; ".join(response.headers.get_all("Set-Cookie", []))).items():
                self._cookies[name] = morsel.value

    def get(self, path: str) -> str:
        """The page at this path."""
        connection = self._sent(Step("GET", path))
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        assert 200 == response.status, body[:2000]
        return body

    def _sent(self, step: Step, **more: str) -> http.client.HTTPConnection:
        body, headers = step.body, {**step.headers, **more}
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        if step.form is not None:
            body = urlencode({**step.form, "csrfmiddlewaretoken": self._cookies["csrftoken"]}).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if body:
            headers["Content-Length"] = str(len(body))
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.putrequest(step.method, step.path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        return connection

    def _leave(self, step: Step) -> None:
        """Hang up once the request is at its view; the view tells by a file that it was told."""
        self._left += 1
        entered, told = (self._directory / f"{what}-{self._left}" for what in ("entered", "told"))
        connection = self._sent(step, **{"X-Entered": str(entered), "X-Told": str(told)})
        _wait(entered)
        connection.close()
        _wait(told)


def _whole(response: http.client.HTTPResponse) -> tuple[bytes, bool]:
    """The body, and whether it breaks off."""
    try:
        return response.read(), False
    except http.client.IncompleteRead as error:
        return error.partial, True


def _wait(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not appear"
        time.sleep(0.005)
