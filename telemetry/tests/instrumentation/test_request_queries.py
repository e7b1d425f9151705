"""What a request asks of databases: added up over threads and streams, told apart from what others ask."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from telemetry.instrumentation.request_queries import most
from telemetry.instrumentation.underway import Underway, current
from telemetry.tests.instrumentation.recording import AFTER, BEFORE, Recording

QUERIES = "telemetry_http_request_db_queries"
SECONDS = "telemetry_http_request_db_seconds"
REPEATED = "telemetry_http_requests_repeated_queries_total"
ALL_SECONDS = "django_db_query_duration_seconds"
ALL = "django_db_execute_total"

pytestmark = pytest.mark.django_db


def ask(statement: str = "SELECT 1", times: int = 1) -> None:
    for _ in range(times):
        with connection.cursor() as cursor:
            cursor.execute(statement)


def none(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def same(request: HttpRequest, times: int) -> HttpResponse:
    ask("SELECT 1", times)
    ask("SELECT 1 AS other", len(request.GET))
    return HttpResponse()


def different(request: HttpRequest, times: int) -> HttpResponse:
    for number in range(times):
        ask(f"SELECT 1 AS column_{number}")
    return HttpResponse()


def literals(request: HttpRequest, times: int) -> HttpResponse:
    for number in range(times):
        ask(f"SELECT 1 WHERE 1 = {number}")
    return HttpResponse()


def lists(request: HttpRequest, times: int) -> HttpResponse:
    with connection.cursor() as cursor:
        for number in range(1, times + 1):
            cursor.execute(f"SELECT 1 WHERE 1 IN ({', '.join(['%s'] * number)})", [*range(number)])
    return HttpResponse()


def crash(request: HttpRequest) -> HttpResponse:
    ask()
    raise LookupError


def inside(request: HttpRequest) -> HttpResponse:
    ask()
    Client().get("/same/3")
    ask()
    return HttpResponse()


def elsewhere(request: HttpRequest) -> HttpResponse:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(current.get()))
    thread.start()
    thread.join()
    return HttpResponse(repr(found))


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        for _ in range(3):
            ask()
            yield b"."

    ask()
    return StreamingHttpResponse(parts())


async def aview(request: HttpRequest) -> HttpResponse:
    await sync_to_async(ask)(times=2)
    return HttpResponse()


async def astream(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            await sync_to_async(ask)()
            yield b"."

    return StreamingHttpResponse(parts())


urlpatterns = [
    path("none", none, name="none"),
    path("same/<int:times>", same, name="same"),
    path("different/<int:times>", different, name="different"),
    path("literals/<int:times>", literals, name="literals"),
    path("lists/<int:times>", lists, name="lists"),
    path("crash", crash, name="crash"),
    path("inside", inside, name="inside"),
    path("elsewhere", elsewhere, name="elsewhere"),
    path("stream", stream, name="stream"),
    path("aview", aview, name="aview"),
    path("astream", astream, name="astream"),
]


@pytest.fixture(autouse=True)
def recording() -> Iterator[Recording]:
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[BEFORE, AFTER]), Recording() as recording:
        yield recording
    assert [] == recording.dropped()
    assert current.get() is None


def get(path: str) -> Any:
    return Client(raise_request_exception=False).get(path)


def made(recording: Recording, view: str) -> tuple[float, float]:
    """How many requests, and how many queries in them."""
    return recording.value(QUERIES, "GET", view), recording.sum(QUERIES, "GET", view)


class TestQueriesOfARequest:
    def test_are_added_up_by_view(self, recording: Recording) -> None:
        for times in (2, 5):
            get(f"/same/{times}")
        get("/none")
        ask(times=4)
        assert (2, 7) == made(recording, "same")
        assert (1, 0) == made(recording, "none")
        assert 11 == sum(recording.values(ALL).values())

    def test_their_time_is_that_of_the_statements(self, recording: Recording) -> None:
        get("/same/3")
        get("/none")
        assert {("GET", "same"): 1} == recording.values(SECONDS)
        everything = sum(recording.sum(ALL_SECONDS, *labels) for labels in recording.values(ALL_SECONDS))
        assert everything == pytest.approx(recording.sum(SECONDS, "GET", "same"))

    def test_of_one_that_fails_and_of_one_that_finds_no_view(self, recording: Recording) -> None:
        assert [500, 404] == [get("/crash").status_code, get("/nowhere").status_code]
        assert (1, 1) == made(recording, "crash")
        assert (1, 0) == made(recording, "<unnamed view>")

    def test_one_within_another_counts_by_itself(self, recording: Recording) -> None:
        get("/inside")
        assert (1, 2) == made(recording, "inside")
        assert (1, 3) == made(recording, "same")

    def test_a_thread_of_the_view_belongs_to_none(self, recording: Recording) -> None:
        assert b"[None]" == get("/elsewhere").content

    def test_of_a_stream_are_told_at_its_end(self, recording: Recording) -> None:
        response = get("/stream")
        ask(times=5)
        assert {} == recording.values(QUERIES)
        assert b"..." == b"".join(response)
        assert (1, 4) == made(recording, "stream")

    @pytest.mark.parametrize(("view", "expected"), [("aview", 2), ("same/2", 2)])
    def test_of_an_async_stack(self, recording: Recording, view: str, expected: int) -> None:
        async def exchange() -> None:
            await AsyncClient().get(f"/{view}")

        async_to_sync(exchange)()
        assert (1, expected) == made(recording, view.partition("/")[0])

    def test_of_an_async_stream(self, recording: Recording) -> None:
        async def exchange() -> None:
            response: Any = await AsyncClient().get("/astream")
            assert b"..." == b"".join([part async for part in response])

        async_to_sync(exchange)()
        assert (1, 3) == made(recording, "astream")


class TestRepeatedQueries:
    def test_one_statement_more_often_than_the_threshold(self, recording: Recording) -> None:
        get("/same/10?another=1")
        get("/different/30")
        assert {} == recording.values(REPEATED)
        get("/same/11?another=1")
        get("/same/30")
        assert {("same",): 2} == recording.values(REPEATED)

    @pytest.mark.parametrize("view", ["literals", "lists"])
    def test_statements_of_one_shape_are_one(self, recording: Recording, view: str) -> None:
        get(f"/{view}/10")
        assert {} == recording.values(REPEATED)
        get(f"/{view}/11")
        assert {(view,): 1} == recording.values(REPEATED)

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ("SELECT a FROM t WHERE b = 'x'", "SELECT a FROM t WHERE b = 'y''z'", True),
            ("SELECT a FROM t WHERE b IN (1, 2)", "SELECT a FROM t WHERE b IN (%s)", True),
            ("INSERT INTO t VALUES (%s, %s)", "INSERT INTO t VALUES (%s, %s),\n(%s, %s)", True),
            ("SELECT a WHERE b IN (%(x)s, %(y)s)", "SELECT a WHERE b IN (%(z)s)", True),
            ("SELECT a FROM t WHERE b = 1 /* x */", "SELECT a FROM t WHERE b = 1 /* y */", True),
            ("SELECT a FROM t", "SELECT b FROM t", False),
            ("SELECT a FROM t WHERE b = %s", "SELECT a FROM t WHERE c = %s", False),
            (f"SELECT '{'x' * 1024}' AS a FROM t", f"SELECT '{'y' * 1024}' AS b FROM t", False),
        ],
    )
    def test_a_shape_is_without_literals_and_lengths(self, one: str, other: str, same: bool) -> None:
        request = Underway(None)
        request.executed(one, 0.0)
        request.executed(other, 0.0)
        assert (2 if same else 1) == most(request)

    def test_long_statements_are_told_apart_by_their_end(self, recording: Recording) -> None:
        columns = ", ".join(f"1 AS column_{number}" for number in range(200))
        with Recording() as other:
            request = other.http.begun(HttpRequest())
            assert request is not None
            for number in range(5):
                request.executed(f"SELECT {columns} WHERE {number}", 0.0)
            assert 1 == request.most()
            for _ in range(4):
                request.executed(f"SELECT {columns} WHERE 1", 0.0)
            assert 5 == request.most()
            request.leave()

    def test_no_more_than_a_thousand_are_kept(self, recording: Recording) -> None:
        request = recording.http.begun(HttpRequest())
        assert request is not None
        for number in range(3000):
            request.executed(f"SELECT {number}", 0.0)
        request.leave()
        assert (3000, 1000) == (request.queries, len(request.shapes))

    def test_switched_off_nothing_is_added_up(self) -> None:
        with Recording(queries=None) as recording:
            get("/same/30")
            assert {} == recording.values(QUERIES)
            assert {} == recording.values(REPEATED)
