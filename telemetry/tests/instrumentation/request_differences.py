"""Where our spans of requests are meant to differ from the stock ones, each by the name it has in
docs/decisions/request-spans.md, where the reasons are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Span = dict[str, Any]

STOCK, OURS = "opentelemetry.instrumentation.django", "telemetry.instrumentation.spans"
_PRIVATE_HEADERS = ("http.request.header.authorization", "http.request.header.cookie")


@dataclass(frozen=True)
class Case:
    """One request under one kind of server; `old` says whether the old conventions are asked for, too."""

    server: str
    name: str
    old: bool


def scope(case: Case, spans: list[Span]) -> None:
    for span in requests(spans):
        span["scope"][0] = OURS


def empty_route(case: Case, spans: list[Span]) -> None:
    if case.name == "root":
        for span in spans:
            for key in ("name", "parent"):
                if span[key] == "GET root":
                    span[key] = "GET"


def query_string(case: Case, spans: list[Span]) -> None:
    for span in requests(spans):
        attributes = span["attributes"]
        if "url.query" in attributes:
            attributes["url.query"] = attributes["url.query"].replace("s3cret", "REDACTED")
        if "http.target" in attributes:
            attributes["http.target"] = attributes["http.target"].partition("?")[0]


def text_in_paths(case: Case, spans: list[Span]) -> None:
    for span in requests(spans):
        for key in ("url.path", "http.target"):
            if key in span["attributes"]:
                span["attributes"][key] = span["attributes"][key].replace("jane-roe", "REDACTED")


def private_headers(case: Case, spans: list[Span]) -> None:
    for span in requests(spans):
        for header in _PRIVATE_HEADERS:
            span["attributes"].pop(header, None)


def client_errors(case: Case, spans: list[Span]) -> None:
    for span in requests(spans):
        if span["attributes"].get("http.response.status_code", 0) < 500 and span["events"]:
            span["status"], span["events"] = ["UNSET", None], []


def messages(case: Case, spans: list[Span]) -> None:
    for span in requests(spans):
        for _, attributes in span["events"]:
            del attributes["exception.message"]
            span["status"][1] = attributes["exception.type"]


def streams(case: Case, spans: list[Span]) -> None:
    if spans and spans[-1]["name"] == "part":
        request = spans.pop(0)
        spans.append(request)
        for part in spans[:-1]:
            part["parent"] = request["name"]


def broken_streams(case: Case, spans: list[Span]) -> None:
    if case.name.endswith("breaking"):
        (span,) = spans
        span["status"] = ["ERROR", "OSError"]
        stack = ["content", "OSError"]
        told = {"exception.type": "OSError", "exception.stacktrace": stack, "exception.escaped": "True"}
        span["events"] = [["exception", told]]


def host(case: Case, spans: list[Span]) -> None:
    for span in requests(spans) if case.server == "asgi" else ():
        attributes = span["attributes"]
        server, attributes["server.address"] = attributes["server.address"], "testserver"
        if case.old:
            del attributes["http.url"]
            attributes |= {"http.host": "testserver", "net.host.name": "testserver", "http.server_name": server}


def port_of_the_host(case: Case, spans: list[Span]) -> None:
    for span in requests(spans) if case.name == "host with a port" else ():
        address, _, port = span["attributes"]["server.address"].partition(":")
        span["attributes"] |= {"server.address": address, "server.port": int(port)}


def requests(spans: list[Span]) -> list[Span]:
    return [span for span in spans if span["scope"][0] in (STOCK, OURS)]


DIFFERENCES: dict[str, Callable[[Case, list[Span]], None]] = {
    "scope": scope,
    "empty route": empty_route,
    "query string": query_string,
    "text in paths": text_in_paths,
    "private headers": private_headers,
    "client errors": client_errors,
    "messages": messages,
    "streams": streams,
    "broken streams": broken_streams,
    "host": host,
    "port of the host": port_of_the_host,
}
"""Each makes of stock spans what ours are to be."""
