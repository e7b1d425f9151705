"""The script: every request that both sites get, with the status that both must answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LEFT = 0
"""Instead of a status: the client goes away before it has read an answer."""


@dataclass(frozen=True, slots=True)
class Step:
    """One request, sent so many times. A `form` is sent with the token that the site's cookie holds.

    `cut`: the answer breaks off in the middle.
    """

    method: str
    path: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    form: Mapping[str, str] | None = None
    times: int = 1
    cut: bool = False


def _json(method: str, path: str, status: int, data: object) -> Step:
    return Step(method, path, status, {"Content-Type": "application/json"}, json.dumps(data).encode())


def _get(path: str, status: int = 200, **headers: str) -> Step:
    return Step("GET", path, status, {name.replace("_", "-"): value for name, value in headers.items()})


_UPLOAD = (
    b'--cut\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + b"u" * 900 + b"\r\n--cut--\r\n"
)

_PLAIN = [
    Step("GET", "/", times=5),
    *(_get(path) for path in ("/unnamed", "/unnamed-class", "/lambda", "/catalogue/unnamed/", "/latin", "/binary")),
    _get("/nowhere", 404),
    _get("/catalogue", 301),
    _get("/old", 301),
    _get("/large", Accept_Encoding="gzip"),
    _get("/etag", 304, If_None_Match='"1"'),
    _get("/fixed", 304, If_Modified_Since="Thu, 02 Jan 2020 00:00:00 GMT"),
    _get("/fixed"),
    _get("/", X_Requested_With="XMLHttpRequest"),
    _get("/", X_Forwarded_Proto="https"),
    _get("/", Host="shop.example"),
    _get("/", 400, Host="stranger.example"),
]
_METHODS = [
    Step("HEAD", "/"),
    Step("HEAD", "/stock/"),
    Step("OPTIONS", "/stock/"),
    Step("PUT", "/stock/", 201, body=b"12"),
    Step("PATCH", "/stock/", 201, body=b"1"),
    Step("DELETE", "/stock/", 204),
    Step("POST", "/stock/", 405),
    Step("TRACE", "/"),
    Step("FOO", "/", 403),
    Step("FOO", "/echo", 201),
    Step("BAR", "/nowhere", 404),
    Step("BAZ", "/stock/", 405),
    Step("POST", "/stock/", 204, {"X-HTTP-Method-Override": "DELETE"}),
    Step("POST", "/echo", 201, {"Content-Type": "application/octet-stream"}, b"d" * 3000),
    Step("POST", "/upload", 200, {"Content-Type": "multipart/form-data; boundary=cut"}, _UPLOAD),
    Step("POST", "/greet", 403, body=b"no token"),
]
_MIDDLEWARES = [
    Step("OPTIONS", "/catalogue/", 204, {"Access-Control-Request-Method": "PUT"}),
    _get("/closed/", 503),
    _get("/faulty/", 500),
]
_ERRORS = [
    _get("/error/bug", 500),
    Step("GET", "/error/missing", 404, times=2),
    _get("/error/denied", 403),
    _get("/error/bad", 400),
    _get("/error/suspicious", 400),
    _get("/async/error", 500),
    _get("/template/broken", 500),
]
_PAGES = [
    _get("/catalogue/"),
    _get("/catalogue/1/"),
    _get("/catalogue/99/", 404),
    _get("/template/list"),
    _get("/greet", 302),
    _get("/rendered"),
    _get("/catalogue/new/"),
    Step("POST", "/catalogue/new/", 302, form={"name": "by form", "price": "4"}),
    Step("POST", "/catalogue/new/", 200, form={"name": "", "price": "x"}),
    Step("GET", "/cached", times=2),
    _get("/account", 302),
    _get("/admin/", 302),
    _get("/admin/login/"),
    Step("POST", "/admin/login/", 200, form={"username": "admin", "password": "wrong"}),
    Step("POST", "/admin/login/", 302, form={"username": "admin", "password": "for tests only", "next": "/account"}),
    _get("/account"),
    _get("/admin/"),
    _get("/admin/shop/product/"),
    Step("POST", "/admin/shop/product/add/", 302, form={"name": "by admin", "price": "2"}),
    Step("POST", "/admin/logout/", 200, form={}),
]
_API = [
    _get("/api/products/"),
    _json("POST", "/api/products/", 201, {"name": "by api", "price": 9}),
    _json("POST", "/api/products/", 400, {"name": "by api"}),
    _get("/api/products/1/"),
    _get("/api/products/99/", 404),
    _json("PUT", "/api/products/2/", 200, {"name": "another", "price": 3}),
    _json("PATCH", "/api/products/2/", 200, {"price": 4}),
    Step("DELETE", "/api/products/2/", 204),
    Step("OPTIONS", "/api/products/"),
    Step("POST", "/api/products/1/", 405),
    Step("POST", "/api/parsed/", 400, {"Content-Type": "application/json"}, b"{"),
    _json("POST", "/api/parsed/", 200, {"a": 1}),
    _get("/api/unavailable/", 500),
    _get("/api/throttled/", 429),
    _get("/api/unauthenticated/", 403),
    _get("/api/forbidden/", 403),
    _get("/api/broken/", 500),
]
_STREAMS = [
    _get("/stream"),
    _get("/file"),
    Step("HEAD", "/file"),
    _get("/async/stream"),
    Step("GET", "/stream/broken", cut=True),
]
_ASYNC = [_get("/async"), _get("/async/database"), _get("/async/cache")]
_DATA = [
    *(
        _get(f"/data/{step}")
        for step in ("save", "delete", "order", "bulk", "many", "iterate", "errors", "archive", "down")
    ),
    _get("/data/unhandled", 500),
    *(_get(f"/cache/{step}") for step in ("default", "second", "files", "none", "more", "get_or_set")),
]
_CLIENTS_THAT_LEAVE = [
    Step("GET", "/async/hanging", LEFT, times=3),
    Step("GET", "/async/hanging/stream", LEFT, times=2),
]


def script(server: str) -> Iterator[Step]:
    """The requests for a site under `gunicorn` or `uvicorn`: only there a view is told that its client has left."""
    yield from (*_PLAIN, *_METHODS, *_MIDDLEWARES, *_ERRORS, *_PAGES, *_API)
    if server == "uvicorn":
        # Not last: they are over a moment after their views are told.
        yield from _CLIENTS_THAT_LEAVE
    yield from (*_STREAMS, *_ASYNC, *_DATA)
