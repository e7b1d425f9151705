"""What a request's span holds, put together only where somebody asks for it.

Stable conventions (https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server) are read
from Django's `META` directly; where the old ones are asked for as well, the stock code is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from opentelemetry.instrumentation import wsgi
from opentelemetry.util.http import (
    OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST,
    OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE,
    detect_synthetic_user_agent,
    get_custom_headers,
    get_traced_request_attrs,
    normalize_user_agent,
    sanitize_method,
)

from telemetry.instrumentation import privacy
from telemetry.instrumentation._stock import StabilityMode

_KNOWN = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"})
OTHER = "_OTHER"
_NEVER_TRACED = frozenset({"COOKIES", "FILES", "GET", "META", "POST", "body", "environ", "headers", "scope", "session"})
"""What holds secrets whole, and is not traced even where `OTEL_PYTHON_DJANGO_TRACED_REQUEST_ATTRS` lists it."""


class RequestAttributes(Mapping[str, Any]):
    """The attributes at a request's beginning, as a mapping that costs nothing until it is read.

    A sampler that decides by them finds them; one that drops the span by its trace id does not pay for them.
    """

    __slots__ = ("_found", "_request", "_rules")

    def __init__(self, request: HttpRequest, rules: Rules) -> None:
        self._request = request
        self._rules = rules
        self._found: dict[str, Any] | None = None

    def _all(self) -> dict[str, Any]:
        if self._found is None:
            self._found = self._rules.at_beginning(self._request)
        return self._found

    def __getitem__(self, name: str) -> Any:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def items(self) -> Any:
        return self._all().items()


class Rules:
    """What the environment says about attributes, read once: conventions, captured headers, traced attributes."""

    def __init__(self, mode: StabilityMode) -> None:
        self.mode = mode
        self.stable_alone = mode is StabilityMode.HTTP
        traced = get_traced_request_attrs("DJANGO")
        self._traced = [name for name in traced if name.partition(".")[0] not in _NEVER_TRACED]
        self._request_headers = bool(get_custom_headers(OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST))
        self.response_headers = bool(get_custom_headers(OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE))

    def at_beginning(self, request: HttpRequest) -> dict[str, Any]:
        """The attributes that a request gives by itself, without what is private."""
        found = _stable(request) if self.stable_alone else _as_stock(request, self.mode)
        asked = request.META.get("QUERY_STRING")
        if asked:
            found["url.query"] = privacy.query(asked)
        if self._traced:
            found |= privacy.attributes(_traced(request, self._traced))
        if self._request_headers:
            found |= privacy.attributes(wsgi.collect_custom_request_headers_attributes(request.META))
        return found

    def paths(self, request: HttpRequest, captured: Iterable[object]) -> dict[str, str]:
        """The attributes that tell the path, without what the route has `captured` as text."""
        found: dict[str, str] = {name: getattr(request, name) for name in ("path", "path_info") if name in self._traced}
        if request.META.get("PATH_INFO"):
            found["url.path"] = request.META["PATH_INFO"]
        if not self.stable_alone:
            found["http.target"] = request.path
        return {name: privacy.path(path, captured) for name, path in found.items()}


def method_of(request: HttpRequest) -> str:
    """The request's method where it is a known one, else `_OTHER`."""
    method = request.method or ""
    return method if method in _KNOWN else sanitize_method(method.strip())


def _stable(request: HttpRequest) -> dict[str, Any]:
    meta = request.META
    given = meta.get("REQUEST_METHOD", "")
    method = given if given in _KNOWN else sanitize_method(given.strip())
    found: dict[str, Any] = {}
    if method != given.strip():
        found["http.request.method_original"] = privacy.masked(given.strip())
    found["http.request.method"] = method
    found["url.scheme"] = request.scheme or "http"
    host = meta.get("HTTP_HOST")
    server_port = meta.get("SERVER_PORT")
    if host:
        server, server_port = _server(host, server_port)
        found["server.address"] = privacy.masked(server)
    if server_port:
        found["server.port"] = int(server_port)
    if request.path and meta.get("PATH_INFO"):
        found["url.path"] = privacy.masked(meta["PATH_INFO"])
    address = meta.get("REMOTE_ADDR")
    if address:
        found["client.address"] = address
    port = meta.get("REMOTE_PORT")
    if port:
        found["client.port"] = int(port)
    name = meta.get("REMOTE_HOST")
    if name and name != address:
        found["client.address"] = name
    agent = meta.get("HTTP_USER_AGENT")
    if agent:
        agent = normalize_user_agent(agent)
    if agent:
        found["user_agent.original"] = privacy.masked(agent)
        synthetic = detect_synthetic_user_agent(agent)
        if synthetic:
            found["user_agent.synthetic.type"] = synthetic
    protocol = _protocol(request)
    if protocol:
        found["network.protocol.version"] = protocol
    return found


def _server(host: str, port: Any) -> tuple[str, Any]:
    """Address and port of a `Host` header, and the port that is given where it has none."""
    address, colon, asked = host.rpartition(":")
    # Not more digits than a port has: this is the client's word, and nobody has checked it yet.
    return (address, asked) if colon and asked.isascii() and asked.isdigit() and len(asked) < 6 else (host, port)


def _traced(request: HttpRequest, names: Sequence[str]) -> dict[str, str]:
    """What the request holds under these names: texts and numbers, for the text of a method, or of a user, is data."""
    found = {name: getattr(request, name, None) for name in names}
    return {name: str(value) for name, value in found.items() if isinstance(value, (str, int, float))}


def _protocol(request: HttpRequest) -> str:
    scope = getattr(request, "scope", None)
    if scope is not None:
        return str(scope.get("http_version", "1.1"))
    given = str(request.META.get("SERVER_PROTOCOL", ""))
    return given[5:] if given[:5].upper() == "HTTP/" else given


def _as_stock(request: HttpRequest, mode: StabilityMode) -> dict[str, Any]:
    """What the stock code takes from a WSGI request, without the query string."""
    seen = request.META | {
        "wsgi.url_scheme": request.scheme or "http",
        "QUERY_STRING": "",
        "RAW_URI": request.path,
        "REQUEST_URI": request.path,
        "SERVER_PROTOCOL": f"HTTP/{_protocol(request)}" if _protocol(request) else "",
    }
    found: dict[str, Any] = wsgi.collect_request_attributes(seen, mode)
    if "server.address" in found:
        found["server.address"], port = _server(found["server.address"], None)
        if port:
            found["server.port"] = int(port)
    return privacy.attributes(found)
