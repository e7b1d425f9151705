"""Whatever a client sends and a view returns: the answer is as without us, each request counts, labels are few."""

from __future__ import annotations

import asyncio
import gc
import io
import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.test import override_settings
from django.urls import path

from telemetry.tests.instrumentation.conftest import INNER
from telemetry.tests.instrumentation.recording import AFTER, BEFORE, Recording
from telemetry.tests.project import views

BEGUN = "django_http_requests_before_middlewares_total"
DONE = "django_http_responses_before_middlewares_total"
ANSWERED = "django_http_responses_total_by_status_view_method_total"
REQUEST_BODY = "django_http_requests_body_total_bytes"

LENGTHS = ["", "0", "banana", "-5", "+5", "1e3", "2.5", "١٢", "²", "9" * 30, "0x10", "7, 7", " 7 ", "\x00", "\xff", "Ⅷ"]
HOSTS = ["", "testserver", "evil..", "[::1", "a" * 10_000, "x y", "\x00", "h:port", "h:99999", "\xe9", "a,b"]
PROTOS = ["", "https", "HTTPS", "https, http", ",", "gopher", "\x00", "h" * 10_000, "\xff"]
METHODS = ["GET", "POST", "get", "M" * 10_000, "", "G T", "\x00", "\xe9", "<invalid method>", "CONNECT"]
PROTOCOLS = ["HTTP/1.1", "HTTP/9.9", "", "banana", "\x00", "H" * 10_000]
PATHS = [
    "/ok",
    "/nowhere",
    "/boom",
    "/" + "p" * 20_000,
    "/\x00",
    "/\xff\xfe",
    "/../..",
    "//",
    "",
    "/stream",
    "/slashed",
]
AJAX = ["", "XMLHttpRequest", "xmlhttprequest", "\x00", "X" * 10_000]


def some(count: int) -> list[dict[str, str]]:
    """Each hostile value once in an otherwise good request, then mixtures; the same in every run."""
    kinds = {
        "CONTENT_LENGTH": LENGTHS,
        "HTTP_HOST": HOSTS,
        "HTTP_X_FORWARDED_PROTO": PROTOS,
        "REQUEST_METHOD": METHODS,
        "SERVER_PROTOCOL": PROTOCOLS,
        "PATH_INFO": PATHS,
        "HTTP_X_REQUESTED_WITH": AJAX,
    }
    good = {"REQUEST_METHOD": "GET", "PATH_INFO": "/ok", "HTTP_HOST": "testserver", "SERVER_PROTOCOL": "HTTP/1.1"}
    singles = [{**good, name: value} for name, values in kinds.items() for value in values]
    dice = random.Random(4)
    return singles + [{name: dice.choice(values) for name, values in kinds.items()} for _ in range(count)]


def through_wsgi(handler: Any, given: dict[str, str]) -> Any:
    """The status, headers and body, or the exception's type."""
    answered: list[Any] = []
    environ = {
        "wsgi.input": io.BytesIO(b""),
        "wsgi.url_scheme": "http",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        **given,
    }
    try:
        response = handler(environ, lambda status, headers: answered.append((status, headers)))
        try:
            return answered, b"".join(response)
        finally:
            response.close()
    except Exception as exc:  # noqa: BLE001 - both sides must fail alike
        return answered, type(exc)


def through_asgi(handler: Any, given: dict[str, str]) -> Any:
    """The messages sent, or the exception's type."""
    sent: list[Any] = []
    headers = {
        "content-length": given.get("CONTENT_LENGTH"),
        "host": given.get("HTTP_HOST"),
        "x-forwarded-proto": given.get("HTTP_X_FORWARDED_PROTO"),
        "x-requested-with": given.get("HTTP_X_REQUESTED_WITH"),
    }
    scope = {
        "type": "http",
        "http_version": given["SERVER_PROTOCOL"].removeprefix("HTTP/"),
        "method": given["REQUEST_METHOD"],
        "path": given["PATH_INFO"],
        "query_string": b"",
        "headers": [(name.encode(), value.encode("utf-8")) for name, value in headers.items() if value is not None],
        "server": ("testserver", 80),
    }

    async def run() -> None:
        asked: list[bool] = []

        async def receive() -> dict[str, Any]:
            if asked:
                await asyncio.sleep(3600)
            asked.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await handler(scope, receive, send)

    try:
        asyncio.run(run())
    except Exception as exc:  # noqa: BLE001 - both sides must fail alike
        return sent, type(exc)
    return sent, None


def labels(recording: Recording) -> Iterator[str]:
    for each in recording.families():
        for values in recording.series(each.family.name):
            yield from values


@pytest.fixture(params=["wsgi", "asgi"])
def sides(request: pytest.FixtureRequest) -> tuple[Any, Callable[[], Any]]:
    """How a request is sent, and what makes a handler for the settings of the moment."""
    return (through_wsgi, WSGIHandler) if request.param == "wsgi" else (through_asgi, ASGIHandler)


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
class TestHostileClients:
    @pytest.fixture(autouse=True)
    def hosts(self) -> Iterator[None]:
        with override_settings(ALLOWED_HOSTS=["testserver"]):
            yield

    def test_the_same_answers_as_without_us(self, recording: Recording, sides: Any) -> None:
        send, make = sides
        ours = make()
        with override_settings(MIDDLEWARE=INNER):
            bare = make()
        requests = some(50)
        for given in requests:
            expected, actual = send(bare, given), send(ours, given)
            assert expected == actual, given
        # ASGI drops what is no request, such as a header that is no latin-1, before any middleware.
        assert len(requests) * 0.9 < recording.value(BEGUN) <= len(requests)
        assert recording.value(BEGUN) == recording.value(DONE) == recording.value(REQUEST_BODY)
        assert 0 == recording.in_flight()

    def test_few_and_short_labels(self, recording: Recording, sides: Any) -> None:
        send, make = sides
        ours = make()
        for given in some(50):
            send(ours, given)
        shown = set(labels(recording))
        assert len(shown) < 40
        assert max(map(len, shown)) < 100
        methods = {method for (method,) in recording.series("django_http_requests_total_by_method_total")}
        assert {"GET", "POST", "CONNECT", "<invalid method>"} == methods
        assert {("http",), ("https",)} == set(recording.series("django_http_requests_total_by_transport_total"))
        assert {"", "1.1"} == {key[4] for key in recording.series("http_server_request_duration_seconds")}
        assert recording.sum(REQUEST_BODY) >= 0


class _Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("not for you")


def _with(**attributes: Any) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        response = HttpResponse("body")
        for name, value in attributes.items():
            setattr(response, name, value)
        return response

    return view


def _on_request(**attributes: Any) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        for name, value in attributes.items():
            setattr(request, name, value)
        return HttpResponse("body")

    return view


class _Match:
    view_name = 7
    route = ["not", "hashable"]


def _template(request: HttpRequest) -> Any:
    response = TemplateResponse(request, "hello.html")
    response.template_name = _Unprintable()  # type: ignore[assignment]
    response.render = lambda: response  # type: ignore[method-assign]
    response.content = b"rendered"
    return response


def _forgets(request: HttpRequest) -> HttpResponse:
    request.__dict__.pop("_telemetry_exchange", None)
    return HttpResponse("forgotten")


def _streams_twice(request: HttpRequest) -> Any:
    response = StreamingHttpResponse(iter([b"first"]))
    response.streaming_content = iter([b"second"])
    return response


def _streams_without_content(request: HttpRequest) -> Any:
    response = StreamingHttpResponse(iter([b"first"]))
    del response.__dict__["_iterator"]
    return response


NONSENSE: dict[str, Callable[[HttpRequest], Any]] = {
    "status-none": _with(status_code=None),
    "status-text": _with(status_code="200"),
    "status-list": _with(status_code=[200]),
    "status-negative": _with(status_code=-1),
    "status-huge": _with(status_code=10**30),
    "status-odd": _with(status_code=250.5),
    "charset-none": _with(charset=None),
    "charset-object": _with(charset=_Unprintable()),
    "charset-surrogates": _with(charset="\udcff" * 5000),
    "charset-unknown": lambda request: HttpResponse("body", content_type="text/plain; charset=klingon"),
    "streaming-claimed": _with(streaming=True),
    "method-none": _on_request(method=None),
    "method-list": _on_request(method=["GET"]),
    "meta-gone": _on_request(META={}),
    "match-odd": _on_request(resolver_match=_Match()),
    "match-text": _on_request(resolver_match="ok"),
    "template-unprintable": _template,
    "forgets": _forgets,
    "none": lambda request: None,
    "text": lambda request: "text",
    "streams-twice": _streams_twice,
    "streams-nothing": _streams_without_content,
    "streams-numbers": lambda request: StreamingHttpResponse(iter([1, None, object])),
    "streams-endless-error": lambda request: StreamingHttpResponse(iter(lambda: 1 // 0, 1)),
}
urlpatterns = [path(name, view, name=name) for name, view in NONSENSE.items()] + [path("ok", views.ok, name="ok")]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NONSENSE)
class TestNonsensicalViews:
    """Measurements may be lost and told in `telemetry_dropped_total`; never the answer, nor a request's end."""

    @pytest.fixture(autouse=True)
    def urls(self) -> Iterator[None]:
        with override_settings(ROOT_URLCONF=__name__):
            yield

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def open_files(cls) -> Iterator[None]:
        """Where Django fails under ASGI it leaves a request's file open, and the warning to a later test."""
        yield
        with warnings.catch_warnings(action="ignore"):
            gc.collect()

    @pytest.mark.parametrize("inner", [[], INNER], ids=["alone", "in a stack"])
    def test_the_same_answer_as_without_us(self, sides: Any, name: str, inner: list[str]) -> None:
        send, make = sides
        given = {"REQUEST_METHOD": "GET", "PATH_INFO": f"/{name}", "SERVER_PROTOCOL": "HTTP/1.1"}
        with override_settings(MIDDLEWARE=inner):
            expected = send(make(), given)
        with Recording() as recording, override_settings(MIDDLEWARE=[BEFORE, *inner, AFTER]):
            ours = make()
            assert expected == send(ours, given)
            assert 1 == recording.value(BEGUN)
            assert 1 == recording.value(DONE)
            assert 0 == recording.in_flight()
            assert all(len(label) <= 256 for label in labels(recording))
            send(ours, {**given, "PATH_INFO": "/ok"})
            assert 1 == recording.value(ANSWERED, "GET", "200", "ok")
