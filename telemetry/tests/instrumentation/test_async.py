from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, override_settings
from django.urls import path

from telemetry.middleware import PrometheusAfterMiddleware, PrometheusBeforeMiddleware
from telemetry.tests.instrumentation.recording import AFTER, BEFORE, Recording

BY_VIEW = "django_http_requests_total_by_view_transport_method_total"
STATUS = "django_http_responses_total_by_status_total"
LATENCY = "django_http_requests_latency_seconds_by_view_method"
OUTER_LATENCY = "django_http_requests_latency_including_middlewares_seconds"
DURATION = "http_server_request_duration_seconds"


class Connection:
    """One ASGI request whose client may go away."""

    def __init__(self, path: str) -> None:
        self.scope = {
            "type": "http",
            "http_version": "2",
            "method": "GET",
            "path": path,
            "query_string": b"",
            "headers": [],
            "server": ("testserver", 80),
        }
        self.gone = asyncio.Event()
        self.body: asyncio.Queue[bytes] = asyncio.Queue()
        self._asked = False

    async def receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body" and message.get("body"):
            await self.body.put(message["body"])

    async def serve(self, until: Callable[[], Awaitable[Any]]) -> None:
        """Serve until the response ends, or the client leaves because `until` is over."""
        handler: Any = ASGIHandler()
        task = asyncio.create_task(handler(self.scope, self.receive, self.send))
        await until()
        self.gone.set()
        await task


class TestAsyncStack:
    @pytest.mark.parametrize("path", ["/ok", "/async", "/boom", "/template", "/nowhere", "/slashed", "/short/1"])
    def test_the_same_numbers_as_the_sync_stack(self, path: str) -> None:
        from django.test import Client

        def counts(recording: Recording) -> dict[str, Any]:
            return {each.family.name: recording.values(each.family.name) for each in recording.families()}

        with Recording() as sync:
            Client(raise_request_exception=False).get(path)
        with Recording() as asynchronous:
            asyncio.run(AsyncClient(raise_request_exception=False).get(path))
        expected, actual = counts(sync), counts(asynchronous)
        assert expected == actual

    def test_a_stream_is_done_at_its_last_byte(self, recording: Recording) -> None:
        async def run() -> None:
            response: Any = await AsyncClient().get("/async/stream")
            parts = []
            async for part in response.streaming_content:
                assert 1 == recording.in_flight()
                parts.append(part)
            assert [b"one,", b"two,", b"three"] == parts

        asyncio.run(run())
        assert 0 == recording.in_flight()
        assert 1 == recording.value(LATENCY, "GET", "async-stream")
        assert 13 == recording.sum("django_http_responses_body_total_bytes")

    def test_a_compressed_stream(self, recording: Recording) -> None:
        async def run() -> None:
            response: Any = await AsyncClient().get("/async/stream", headers={"Accept-Encoding": "gzip"})
            assert "gzip" == response["Content-Encoding"]
            async for _ in response.streaming_content:
                pass

        asyncio.run(run())
        assert 0 == recording.in_flight()
        assert 13 == recording.sum("django_http_responses_body_total_bytes"), "the size before compression"
        assert [""] == [labels[0] for labels in recording.series(DURATION)]

    def test_an_async_stream_served_synchronously(self, recording: Recording) -> None:
        from django.test import Client

        response = Client().get("/async/stream")
        with pytest.warns(Warning, match="must consume asynchronous iterators"):
            assert b"one,two,three" == b"".join(response)
        assert 0 == recording.in_flight()

    def test_no_change_of_thread(self, recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
        submitted: list[object] = []
        submit = ThreadPoolExecutor.submit

        def counting(self: ThreadPoolExecutor, *args: Any, **kwargs: Any) -> Any:
            submitted.append(args[0])
            return submit(self, *args, **kwargs)

        monkeypatch.setattr(ThreadPoolExecutor, "submit", counting)

        def hops(middleware: list[str], path: str) -> int:
            submitted.clear()
            with override_settings(MIDDLEWARE=middleware):
                asyncio.run(AsyncClient().get(path))
            return len(submitted)

        for asked in ("/async", "/template"):
            assert hops([], asked) == hops([BEFORE, AFTER], asked), asked

    def test_the_mode_follows_the_handler(self, recording: Recording) -> None:
        async def asynchronous(request: HttpRequest) -> HttpResponse:
            return HttpResponse()

        for middleware in (PrometheusBeforeMiddleware, PrometheusAfterMiddleware):
            assert iscoroutinefunction(middleware(asynchronous))
            assert not iscoroutinefunction(middleware(lambda request: HttpResponse()))
        after = PrometheusAfterMiddleware(asynchronous)
        assert iscoroutinefunction(after.process_view)
        assert iscoroutinefunction(after.process_template_response)
        assert not iscoroutinefunction(after.process_exception)

    def test_an_async_only_middleware_in_a_sync_stack(self, recording: Recording) -> None:
        from django.test import Client

        path = "telemetry.tests.instrumentation.test_async.async_only"
        with override_settings(MIDDLEWARE=[BEFORE, path, AFTER]):
            assert 200 == Client().get("/template").status_code
        assert 1 == recording.value(BY_VIEW, "GET", "http", "template")
        assert 1 == recording.value("django_http_responses_total_by_templatename_total", "hello.html")


def async_only(get_response: Any) -> Any:
    async def serve(request: HttpRequest) -> Any:
        return await get_response(request)

    return serve


async_only.sync_capable = False  # type: ignore[attr-defined]
async_only.async_capable = True  # type: ignore[attr-defined]


left: list[str] = []


async def generator(request: HttpRequest) -> StreamingHttpResponse:
    async def content() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            await asyncio.sleep(60)
        except BaseException as exc:
            left.append(type(exc).__name__)
            raise
        finally:
            left.append("finally")

    return StreamingHttpResponse(content())


urlpatterns = [path("generator", generator)]


class TestDisconnects:
    @pytest.fixture(autouse=True)
    def stack(self) -> Any:
        with override_settings(MIDDLEWARE=[BEFORE, AFTER]):
            yield

    def test_before_the_response(self, recording: Recording) -> None:
        async def run() -> None:
            connection = Connection("/async/hanging")

            async def entered() -> None:
                while not recording.in_flight():
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.05)

            await connection.serve(until=entered)

        asyncio.run(run())
        assert 0 == recording.in_flight()
        assert {("GET", "http", "hanging"): 1} == recording.series(BY_VIEW)
        assert {} == recording.series(STATUS)
        assert [("client_disconnected", "GET", "", "async/hanging", "2", "http")] == list(recording.series(DURATION))

    def test_in_the_middle_of_a_stream(self, recording: Recording) -> None:
        async def run() -> None:
            connection = Connection("/async/hanging/stream")
            await connection.serve(until=connection.body.get)

        asyncio.run(run())
        assert 0 == recording.in_flight()
        assert {("200",): 1} == recording.series(STATUS)
        assert 1 == recording.value(LATENCY, "GET", "hanging-stream")
        assert 4 == recording.sum("django_http_responses_body_total_bytes")

    def test_while_a_part_is_being_sent(self, recording: Recording) -> None:
        async def run() -> None:
            connection = Connection("/async/stream")
            sending = asyncio.Event()

            async def send(message: dict[str, Any]) -> None:
                if message.get("body"):
                    sending.set()
                    await asyncio.sleep(60)

            connection.send = send  # type: ignore[method-assign]
            await connection.serve(until=sending.wait)

        asyncio.run(run())
        assert 0 == recording.in_flight()
        assert [("client_disconnected", "GET", "200", "async/stream", "2", "http")] == list(recording.series(DURATION))
        assert 4 == recording.sum("django_http_responses_body_total_bytes")

    @pytest.mark.parametrize(
        ("blocked", "expected"),
        [(False, ["CancelledError", "finally"]), (True, ["GeneratorExit", "finally"])],
        ids=["while it waits", "while a part is being sent"],
    )
    @override_settings(ROOT_URLCONF=__name__)
    def test_the_applications_generator_ends_as_without_us(
        self, recording: Recording, blocked: bool, expected: list[str]
    ) -> None:
        async def run() -> list[str]:
            left.clear()
            connection = Connection("/generator")
            send = connection.send

            async def blocking(message: dict[str, Any]) -> None:
                await send(message)
                if message.get("body"):
                    await asyncio.sleep(60)

            if blocked:
                connection.send = blocking  # type: ignore[method-assign]
            await connection.serve(until=connection.body.get)
            return left

        with override_settings(MIDDLEWARE=[]):
            assert expected == asyncio.run(run())
        assert expected == asyncio.run(run())
        assert 1 == recording.value(OUTER_LATENCY)

    def test_what_the_application_cancels_by_itself_is_no_client(self, recording: Recording, rf: Any) -> None:
        async def view(request: HttpRequest) -> HttpResponse:
            raise asyncio.CancelledError

        async def run() -> None:
            serve: Any = PrometheusBeforeMiddleware(PrometheusAfterMiddleware(view))
            with pytest.raises(asyncio.CancelledError):
                await serve(rf.get("/"))

        asyncio.run(run())
        assert ["asyncio.exceptions.CancelledError"] == [labels[0] for labels in recording.series(DURATION)]
        assert 0 == recording.in_flight()

    def test_a_cancellation_that_comes_through_a_synchronous_middleware(self, recording: Recording, rf: Any) -> None:
        def cancelled(request: HttpRequest) -> HttpResponse:
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            PrometheusBeforeMiddleware(cancelled)(rf.get("/"))
        assert ["client_disconnected"] == [labels[0] for labels in recording.series(DURATION)]

    @pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
    @pytest.mark.parametrize("path", ["/stream", "/file"])
    def test_a_synchronous_iterator(self, recording: Recording, path: str) -> None:
        async def run() -> None:
            connection = Connection(path)
            connection.send = lambda message: asyncio.sleep(0)  # type: ignore[method-assign]
            await connection.serve(until=lambda: asyncio.sleep(0.2))

        asyncio.run(run())
        assert [""] == [labels[0] for labels in recording.series(DURATION)]
        assert 0 == recording.in_flight()

    def test_many_leave_nothing_in_flight(self, recording: Recording) -> None:
        async def run() -> None:
            async def one(path: str, wait: float) -> None:
                await Connection(path).serve(until=lambda: asyncio.sleep(wait))

            paths = ("/async/hanging", "/async/hanging/stream", "/async", "/async/stream")
            await asyncio.gather(*(one(paths[number % 4], number / 1000) for number in range(80)))

        asyncio.run(run())
        # A client that leaves at once may be gone before its request reaches the first middleware.
        begun = recording.value("django_http_requests_before_middlewares_total")
        assert 40 < begun <= 80
        assert begun == recording.value(OUTER_LATENCY)
        assert 0 == recording.in_flight()
