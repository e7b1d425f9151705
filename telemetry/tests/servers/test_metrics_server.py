"""The HTTP server behind the export port: what it answers, to whom, and that no client can stop it."""

from __future__ import annotations

import http.client
import logging
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from prometheus_client import CollectorRegistry, start_http_server

from telemetry.endpoint import Endpoint, MetricsServer, _server
from telemetry.tests.servers.harness import free_port, get
from telemetry.views import metrics

View = Callable[[HttpRequest], HttpResponse]
Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def serving(view: View = metrics, address: str = "127.0.0.1") -> Generator[MetricsServer]:
    server = MetricsServer(address, 0, view)
    server.timeout = 0.02
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            server.handle_request()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield server
    finally:
        over.set()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def stock() -> Generator[int]:
    """The port of prometheus_client's own server."""
    server, thread = start_http_server(0, "127.0.0.1", CollectorRegistry())
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def ask(port: int, method: str, path: str, headers: dict[str, str] | None = None, host: str = "127.0.0.1") -> Answer:
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def told(request: HttpRequest) -> HttpResponse:
    """What the view is told of the request."""
    return HttpResponse(f"{request.method} {request.path} {request.GET.dict()} {request.META['REMOTE_ADDR']}")


class TestAnswers:
    def test_the_page_is_that_of_the_view_in_the_form_asked_for(self) -> None:
        with serving() as server:
            status, headers, body = ask(server.port, "GET", "/metrics")
            assert (200, "text/plain; version=0.0.4; charset=utf-8") == (status, headers["Content-Type"])
            assert b"# TYPE django_http_requests_total_by_method_total counter" in body
            wish = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}
            status, headers, body = ask(server.port, "GET", "/metrics", wish)
            assert (200, "gzip", b"\x1f\x8b") == (status, headers["Content-Encoding"], body[:2])
            assert headers["Content-Type"].startswith("application/openmetrics-text")

    @pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST", "PUT", "DELETE", "BREW"])
    @pytest.mark.parametrize("path", ["/", "/metrics", "/metrics/", "/any/where?x=1", "/favicon.ico", "/%ff%00"])
    def test_a_status_is_that_of_prometheus_client(self, method: str, path: str, stock: int) -> None:
        with serving() as server:
            assert ask(stock, method, path)[0] == ask(server.port, method, path)[0]

    def test_head_is_get_without_the_page(self) -> None:
        with serving(told) as server:
            length = len(ask(server.port, "GET", "/metrics")[2]) + 1
            status, headers, body = ask(server.port, "HEAD", "/metrics")
            assert (200, str(length), b"") == (status, headers["Content-Length"], body)

    def test_the_view_is_told_who_asks_for_what(self) -> None:
        with serving(told) as server:
            assert "GET /a b {'q': 'ü'} 127.0.0.1" == ask(server.port, "GET", "/a%20b?q=%C3%BC")[2].decode()

    @override_settings(ALLOWED_HOSTS=["example.com"], SECURE_SSL_REDIRECT=True)
    @pytest.mark.parametrize("host", ["10.0.0.7:8001", "", "a b\x7f"])
    def test_neither_host_nor_scheme_matter(self, host: str) -> None:
        with serving() as server:
            assert 200 == ask(server.port, "GET", "/metrics", {"Host": host})[0]

    def test_a_view_that_fails_is_told_to_the_log_only(self, caplog: pytest.LogCaptureFixture) -> None:
        def fail(request: HttpRequest) -> HttpResponse:
            raise RuntimeError("secret")

        with serving(fail) as server:
            status, _, body = ask(server.port, "GET", "/metrics")
        assert (500, False) == (status, b"secret" in body)
        assert ["a scrape failed"] == [record.getMessage().partition(": ")[2] for record in caplog.records]


class TestAddress:
    @pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
    def test_it_listens_there_and_nowhere_else(self, address: str) -> None:
        with serving(told, address) as server:
            assert b"GET / {} 127.0.0.1" == ask(server.port, "GET", "/")[2]
            with pytest.raises(ConnectionRefusedError):
                ask(server.port, "GET", "/", host="127.0.0.2")

    @pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
    def test_ipv6(self) -> None:
        with serving(told, "::1") as server:
            assert b"GET / {} ::1" == ask(server.port, "GET", "/", host="::1")[2]

    def test_a_taken_port_is_never_shared(self) -> None:
        with serving() as server, pytest.raises(OSError, match="Address already in use"):
            MetricsServer("127.0.0.1", server.port, metrics)


class TestClients:
    def test_the_slow_make_room_for_the_next(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_server, "CONNECTIONS", 4)
        monkeypatch.setattr(_server._Answer, "timeout", 3600.0)
        with serving(told) as server:
            slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(12)]
            for client in slow:
                client.settimeout(30)
                client.sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
            assert 200 == get(server.port, "/metrics")[0]
            assert b"" == slow[0].recv(100)
            for client in slow:
                client.close()

    def test_one_that_says_nothing_is_left(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert 0 < _server._Answer.timeout <= 10
        monkeypatch.setattr(_server._Answer, "timeout", 0.2)
        with serving(told) as server, socket.create_connection(("127.0.0.1", server.port)) as silent:
            silent.settimeout(30)
            assert b"" == silent.recv(100)

    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400"),
            (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
            (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n", b"431"),
            (b"GET / HTTP/9.9\r\n\r\n", b"505"),
            (b"GET / HTTP/1.1\r\nContent-Length: banana\r\nHost: \xff\xfe\r\n\r\n", b"200"),
        ],
        ids=["TLS", "long", "many headers", "version", "odd headers"],
    )
    def test_nonsense_is_answered_and_does_no_harm(
        self, sent: bytes, status: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with serving(told) as server:
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
                client.sendall(sent)
                assert status in client.recv(100).split(b"\r\n")[0]
            assert 200 == get(server.port, "/metrics")[0]
        assert ("", "") == capfd.readouterr()
        assert [] == [record for record in caplog.records if record.levelno > logging.DEBUG]


class TestEndpoint:
    def endpoint(self, port: int, directory: Path | None) -> Endpoint:
        return Endpoint((port,), "127.0.0.1", told, lambda: directory)

    def test_a_taken_port_is_told_once_after_some_tries(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            endpoint = self.endpoint(other.getsockname()[1], tmp_path)
            told = [(endpoint.seek(), len(caplog.records)) for _ in range(5)]
        endpoint.resign()
        assert [(False, 0), (False, 0), (False, 1), (False, 1), (False, 1)] == told

    @pytest.mark.parametrize("shared", [True, False], ids=["claim", "bind alone"])
    def test_losers_say_nothing_and_one_of_them_is_next(
        self, shared: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        port, directory = free_port(), tmp_path if shared else None
        first, second = self.endpoint(port, directory), self.endpoint(port, directory)
        assert [True, *[False] * 5] == [first.seek(), *(second.seek() for _ in range(5))]
        assert [] == caplog.records
        first.resign()
        assert second.seek()
        second.resign()

    @pytest.mark.parametrize("shared", [True, False], ids=["claim", "bind alone"])
    def test_an_address_that_cannot_be_had_is_told(
        self, shared: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        endpoint = Endpoint((free_port(),), "192.0.2.1", told, lambda: tmp_path if shared else None)
        assert [False] * 3 == [endpoint.seek() for _ in range(3)]
        endpoint.resign()
        (record,) = caplog.records
        assert "of 192.0.2.1: Cannot assign requested address" in record.getMessage()

    def test_it_serves_again_after_what_failed_is_over(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Endpoint, "pause", 0.05)
        endpoint = self.endpoint(free_port(), tmp_path)
        with monkeypatch.context() as broken:
            broken.setattr(Endpoint, "work", lambda _: 1 / 0)
            endpoint.start(now=True)
            assert endpoint.port is None
        (port,) = endpoint.ports
        while endpoint.port is None:
            time.sleep(0.01)
        assert 200 == get(port, "/metrics")[0]
        endpoint.stop()
        with pytest.raises(ConnectionRefusedError):
            get(port, "/metrics")
