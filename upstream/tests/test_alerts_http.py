"""What posting to a customer's URL does about every kind of answer, against real servers."""

from __future__ import annotations

import logging
import socket
import ssl
import subprocess
import traceback
from pathlib import Path
from typing import Any

import pytest
import requests.adapters

from upstream.alerts import errors, http
from upstream.errors import Permanent
from upstream.tests.receiver import HANG_UP, SILENCE, Receiver, receiver

PATH = "/services/T000/B000/private-part?token=private-part"


@pytest.fixture
def strict(settings: Any) -> None:
    """As in production: https and public addresses only."""
    settings.UPSTREAM_WEBHOOK_ALLOW_PRIVATE = False


@pytest.fixture
def resolves(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let names be looked up in a list: one entry a look-up, the last for all that follow."""

    def resolve(*entries: list[tuple[str, int]]) -> list[str]:
        left, asked = list(entries), []

        def getaddrinfo(host: str, port: Any, *rest: Any, **named: Any) -> list[Any]:
            asked.append(host)
            found = left.pop(0) if len(left) > 1 else left[0]
            return [
                (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, at))
                for address, at in found
            ]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return resolve


def failure(url: str) -> errors.DeliveryError:
    with pytest.raises(errors.DeliveryError) as raised:
        http.post(url, b"{}", {})
    assert "private-part" not in "".join(traceback.format_exception(raised.value))
    return raised.value


class TestPost:
    def test_sends_what_it_is_given(self) -> None:
        with receiver() as server:
            http.post(server.url("/hook?a=b"), b'{"a":1}', {"webhook-id": "id-1"})
        (request,) = server.requests
        assert ("/hook?a=b", b'{"a":1}') == (request.path, request.body)
        assert ("application/json", "id-1", f"127.0.0.1:{server.port}") == (
            request.headers["content-type"],
            request.headers["webhook-id"],
            request.headers["host"],
        )

    @pytest.mark.parametrize("status", [200, 202, 204])
    def test_any_2xx_is_success(self, status: int) -> None:
        with receiver(status) as server:
            http.post(server.url(), b"{}", {})
        assert 1 == len(server.requests)

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
    def test_what_may_go_better_later(self, status: int) -> None:
        with receiver(status) as server:
            error = failure(server.url(PATH))
        assert (errors.Unavailable, f"127.0.0.1 answered {status}") == (type(error), str(error))
        assert not isinstance(error, Permanent)
        assert 1 == len(server.requests)

    @pytest.mark.parametrize(
        ("header", "seconds"), [("120", 120.0), ("", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("-5", 0.0)]
    )
    def test_heeds_when_to_come_again(self, header: str, seconds: float) -> None:
        with receiver(429) as server:
            server.headers["Retry-After"] = header
            error = failure(server.url())
        assert isinstance(error, errors.Unavailable)
        assert seconds == error.again_in

    @pytest.mark.parametrize("status", [304, 400, 401, 403, 404, 405, 422])
    def test_what_will_not(self, status: int) -> None:
        with receiver(status) as server:
            error = failure(server.url(PATH))
        assert (errors.Refused, f"127.0.0.1 answered {status}") == (type(error), str(error))
        assert isinstance(error, Permanent)

    def test_gone(self) -> None:
        with receiver(410) as server:
            error = failure(server.url(PATH))
        assert (errors.Gone, "127.0.0.1 answered 410") == (type(error), str(error))
        assert isinstance(error, Permanent)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirects_are_not_followed(self, status: int) -> None:
        with receiver() as elsewhere, receiver(status) as server:
            server.headers["Location"] = elsewhere.url()
            error = failure(server.url(PATH))
        assert (errors.Refused, f"127.0.0.1 answered {status}") == (type(error), str(error))
        assert (1, 0) == (len(server.requests), len(elsewhere.requests))

    def test_silence(self, settings: Any) -> None:
        settings.UPSTREAM_WEBHOOK_TIMEOUT = 0.1
        with receiver(SILENCE) as server:
            error = failure(server.url(PATH))
        assert (errors.TimedOut, "127.0.0.1 did not answer within 0.1 s") == (type(error), str(error))
        assert not isinstance(error, Permanent)

    def test_closed_without_an_answer(self) -> None:
        with receiver(HANG_UP) as server:
            error = failure(server.url(PATH))
        assert (errors.Unreachable, "127.0.0.1 cannot be reached (ConnectionError)") == (type(error), str(error))
        assert not isinstance(error, Permanent)
        assert 1 == len(server.requests)

    def test_nobody_listens(self) -> None:
        with receiver() as server:
            pass
        assert errors.Unreachable is type(failure(server.url(PATH)))

    def test_unknown_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def getaddrinfo(*args: Any, **named: Any) -> Any:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        error = failure(f"https://nowhere.invalid{PATH}")
        assert (errors.Unreachable, "nowhere.invalid: the name is not known") == (type(error), str(error))

    def test_the_environment_does_not_say_where_to(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password private-part\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        with receiver() as proxy, receiver() as server:
            monkeypatch.setenv("http_proxy", proxy.url())
            http.post(server.url(), b"{}", {})
        assert (0, 1) == (len(proxy.requests), len(server.requests))
        assert "authorization" not in server.requests[0].headers

    def test_paths_are_not_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG), receiver() as server:
            http.post(server.url(PATH), b"{}", {})
            # Headers that cannot be parsed make urllib3 warn, and quote the URL.
            server.headers["no name: "] = "x"
            http.post(server.url(PATH), b"{}", {})
        assert 2 == len(server.requests)
        assert "private-part" not in caplog.text


class TestUrl:
    @pytest.mark.parametrize(
        "url",
        [
            "",
            "hooks.example.com/private-part",
            "ftp://hooks.example.com/private-part",
            "file:///private-part",
            "https://",
            "https:///private-part",
            "https://[::1/private-part",
            "https://me:private-part@hooks.example.com:port/",
            f"https://{'a' * 64}.example.com/private-part",
            "https://ü..example.com/private-part",
        ],
    )
    def test_unusable(self, url: str) -> None:
        assert errors.BadTarget is type(failure(url))

    def test_plain_http(self, strict: None) -> None:
        with receiver() as server:
            error = failure(server.url(PATH))
        assert "127.0.0.1: the URL begins with 'http'; valid is https" == str(error)
        assert isinstance(error, Permanent)
        assert [] == server.requests

    @pytest.mark.parametrize(
        ("url", "host"),
        [
            ("https://me:secret@Hooks.Example.com:8443/secret?secret#secret", "hooks.example.com"),
            ("https://[2001:db8::1]/secret", "2001:db8::1"),
            ("secret", "an unusable URL"),
            ("https://[secret", "an unusable URL"),
        ],
    )
    def test_only_the_host_is_shown(self, url: str, host: str) -> None:
        assert host == http.host_of(url)


class TestPrivateAddresses:
    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "localhost",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[fec0::1]",
            "[fd00::1]",
            "[ff02::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:10.0.0.1]",
            "[64:ff9b::10.0.0.1]",
            "[64:ff9b::169.254.169.254]",
            "[2002:a00:1::1]",
        ],
    )
    def test_refused(self, strict: None, host: str) -> None:
        error = failure(f"https://{host}/private-part")
        assert (
            "its address is in a private network; UPSTREAM_WEBHOOK_ALLOW_PRIVATE is not set"
            == str(error).split(": ")[1]
        )
        assert (errors.BadTarget, True) == (type(error), isinstance(error, Permanent))

    def test_one_private_address_of_several_is_enough(self, strict: None, resolves: Any) -> None:
        asked = resolves([("203.0.114.1", 443), ("10.0.0.1", 443)])
        assert errors.BadTarget is type(failure("https://hooks.example.com/private-part"))
        assert ["hooks.example.com"] == asked


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for hooks.example.com and its key; beside it, ending in .crt, the certificate alone."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    subject = ["-subj", "/CN=hooks.example.com", "-addext", "subjectAltName=DNS:hooks.example.com", "-days", "2"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path)]
    command = ["openssl", "req", "-x509", *key, *subject, "-out", f"{path}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    with path.open("a") as both:
        both.write(Path(f"{path}.crt").read_text())
    return path


class TestTls:
    """A server whose certificate is for hooks.example.com."""

    @pytest.fixture
    def context(self, certificate: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        return context

    @pytest.fixture
    def trusted(self, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", f"{certificate}.crt")

    def url(self, server: Receiver, host: str = "hooks.example.com") -> str:
        return f"https://{host}:{server.port}{PATH}"

    def test_posts(self, context: ssl.SSLContext, trusted: None, resolves: Any) -> None:
        with receiver(tls=context) as server:
            resolves([("127.0.0.1", server.port)])
            http.post(self.url(server), b"{}", {})
        assert [PATH] == [request.path for request in server.requests]

    def test_strangers_are_not_told(self, context: ssl.SSLContext, resolves: Any) -> None:
        with receiver(tls=context) as server:
            resolves([("127.0.0.1", server.port)])
            error = failure(self.url(server))
        assert (errors.Unreachable, "hooks.example.com cannot be reached (SSLError)") == (type(error), str(error))
        assert [] == server.requests

    def test_the_certificate_must_be_of_the_host(self, context: ssl.SSLContext, trusted: None, resolves: Any) -> None:
        with receiver(tls=context) as server:
            resolves([("127.0.0.1", server.port)])
            assert errors.Unreachable is type(failure(self.url(server, "other.example.com")))
        assert [] == server.requests

    def test_a_name_that_changes_its_address_gets_nothing(
        self, context: ssl.SSLContext, trusted: None, resolves: Any, strict: None
    ) -> None:
        with receiver(tls=context) as server:
            # Public when it is checked, and at home a moment later.
            asked = resolves([("203.0.114.1", server.port)], [("127.0.0.1", server.port)])
            error = failure(self.url(server))
        assert 2 == len(asked)
        assert (errors.BadTarget, []) == (type(error), server.requests)
