"""Posts JSON to a URL that a customer gave: not into a private network, not where a redirect leads, not for long."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from upstream.alerts.errors import BadTarget, DeliveryError, Gone, Refused, TimedOut, Unavailable, Unreachable
from upstream.alerts.tracing import answered, posting

LATER = frozenset({408, 425, 429})
"""The statuses below 500 that say: another time."""
_GONE = 410
_TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"))
"""NAT64 and 6to4: global as such, but each address has one of IPv4 in it, which may be private."""

# Below an error, their lines quote the path, which is a secret where Slack has made it.
for _each in (HTTPConnection, HTTPConnectionPool):
    logging.getLogger(_each.__module__).setLevel(logging.ERROR)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Post JSON once; return when the receiver answered 2xx. Its answer's body is not read.

    Only https, and only public addresses, unless `UPSTREAM_WEBHOOK_ALLOW_PRIVATE`. Proxies and `.netrc` in the
    environment are not used, and redirects not followed: the address that is checked is the one written to.

    Raises:
        BadTarget: the URL may not or cannot be posted to.
        Refused: it answered 3xx or 4xx (410: Gone), but not one of `LATER`.
        Unavailable: it answered one of `LATER` or 5xx.
        Unreachable: the name is not known, no connection is made, or it is closed without an answer.
        TimedOut: connecting, or waiting for the answer, took more than `UPSTREAM_WEBHOOK_TIMEOUT` seconds.
    """
    host, timeout = host_of(url), settings.UPSTREAM_WEBHOOK_TIMEOUT
    failure: DeliveryError
    try:
        request = requests.Request(
            "POST", url, data=body, headers={"Content-Type": "application/json", "User-Agent": "upstream", **headers}
        ).prepare()
        _check(request.url or "")
        adapter = _Adapter()
        try:
            # Not by a session: that reads the environment, and the whole body of a redirect.
            with (
                posting(request.url or "", request.headers) as span,
                adapter.send(request, stream=True, timeout=(timeout, timeout)) as response,
            ):
                status, wait = response.status_code, response.headers.get("Retry-After", "")
                answered(span, status)
        finally:
            adapter.close()
    except requests.Timeout:
        failure = TimedOut(f"{host} did not answer within {timeout:g} s")
    except ValueError as error:
        failure = BadTarget(f"{host}: the URL cannot be posted to ({type(error).__name__})")
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        failure = Unreachable(f"{host} cannot be reached ({type(error).__name__})")
    else:
        _judge(host, status, wait)
        return
    # Raised out here, so that the library's error, which quotes the URL, is not in the traceback.
    raise failure


def host_of(url: str) -> str:
    """The host in a URL, the only part of it that may be shown: paths and queries have secrets."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    return host or "an unusable URL"


def _judge(host: str, status: int, wait: str) -> None:
    if 200 <= status < 300:
        return
    told = f"{host} answered {status}"
    if status in LATER or status >= 500:
        # The other form of Retry-After (RFC 9110, section 10.2.3), a date, would need the receiver's clock.
        raise Unavailable(told, float(wait) if wait.isascii() and wait.isdigit() else 0.0)
    raise (Gone if status == _GONE else Refused)(told)


def check_form(url: str) -> None:
    """Whether something may be posted to such a URL; the name in it is not looked up.

    Raises:
        BadTarget: it is no URL with a host, or neither https nor, with `UPSTREAM_WEBHOOK_ALLOW_PRIVATE`, http.
    """
    try:
        prepared = requests.Request("POST", url).prepare().url or ""
        _check_scheme(prepared)
        parts = urlsplit(prepared)
        is_usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise BadTarget(f"{host_of(url)}: nothing can be posted to it; valid is https:// and a host")


def _check_scheme(url: str) -> None:
    scheme, allowed = urlsplit(url).scheme, ("https", "http") if settings.UPSTREAM_WEBHOOK_ALLOW_PRIVATE else ("https",)
    if scheme not in allowed:
        raise BadTarget(f"{host_of(url)}: the URL begins with {scheme[:10]!r}; valid is {' or '.join(allowed)}")


def _check(url: str) -> None:
    """Refuse before anything is sent; the addresses behind a name may be others a moment later, see `_Checked`."""
    _check_scheme(url)
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        found = socket.getaddrinfo(host, parts.port or parts.scheme, type=socket.SOCK_STREAM)
    except socket.gaierror:
        raise Unreachable(f"{host}: the name is not known") from None
    for *_, address in found:
        _check_address(host, str(address[0]))


def _check_address(host: str, text: str) -> None:
    address = ipaddress.ip_address(text)
    is_public = (
        address.is_global
        and not address.is_multicast
        and not getattr(address, "is_site_local", False)
        and not any(address in network for network in _TRANSLATED)
    )
    if is_public or settings.UPSTREAM_WEBHOOK_ALLOW_PRIVATE:
        return
    raise BadTarget(f"{host}: its address is in a private network; UPSTREAM_WEBHOOK_ALLOW_PRIVATE is not set")


class _Checked(HTTPConnection):
    """Looks at the address that it is connected to before it sends a request."""

    def connect(self) -> None:
        super().connect()
        assert self.sock is not None  # noqa: S101 - for the type checker
        _check_address(self.host, self.sock.getpeername()[0])


class _CheckedTls(_Checked, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Checked


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _CheckedTls


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
