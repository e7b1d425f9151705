"""Spans of requests and queries: what is in them, against the stock ones, and that tracing hurts nobody."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.http import HttpResponse
from django.test import AsyncRequestFactory, RequestFactory
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telemetry.catalogue.http import CLIENT_GONE
from telemetry.errors import ConfigurationError
from telemetry.instrumentation import spans

SERVERS = pytest.mark.parametrize("server", ["wsgi", "asgi"])
STATUSES = [200, 200, 404, 500, 500, 200, 200, 404, 200, 200]
NAMES = [
    "GET items/<int:number>/",
    "POST many/",
    "GET gone/",
    "GET crash/",
    "GET wrong/",
    "GET calm/",
    "GET health/",
    "GET",
    "HTTP",
    "GET items/<int:number>/",
]


@functools.cache
def run(*arguments: str, opt_in: str = "") -> dict[str, Any]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "telemetry.tests.instrumentation.spans_script", *arguments],
        env=environ | ({"OTEL_SEMCONV_STABILITY_OPT_IN": opt_in} if opt_in else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def of_kind(kind: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    return [span for span in found["spans"] if span["kind"] == kind]


@SERVERS
class TestRequestSpan:
    def test_one_each_named_after_method_and_route(self, server: str) -> None:
        found = run(server, "ours")
        assert NAMES == [span["name"] for span in of_kind("SERVER", found)]
        assert STATUSES == found["statuses"]

    def test_holds_the_stable_attributes(self, server: str) -> None:
        attributes = of_kind("SERVER", run(server, "ours"))[0]["attributes"]
        expected = {
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "http.route": "items/<int:number>/",
            "network.protocol.version": "1.1",
            "url.path": "/items/7/",
            "url.scheme": "http",
        }
        assert expected == {name: attributes.get(name) for name in expected}

    def test_is_an_error_where_the_server_failed_and_only_there(self, server: str) -> None:
        found = of_kind("SERVER", run(server, "ours"))
        failed = ["GET crash/", "GET wrong/"]
        assert failed == [span["name"] for span in found if span["status"] == "ERROR"]
        assert failed == [span["name"] for span in found if span["events"] == ["exception"]]
        assert STATUSES == [span["attributes"]["http.response.status_code"] for span in found]

    def test_is_the_parent_of_what_happens_in_it(self, server: str) -> None:
        found = run(server, "ours")
        parents = {span["id"]: span for span in of_kind("SERVER", found)}
        children = [span for span in found["spans"] if span["kind"] != "SERVER"]
        assert [
            ("SELECT", "/items/7/"),
            ("CREATE", "/many/"),
            ("INSERT", "/many/"),
            ("SELECT", "/wrong/"),
            ("work", "/calm/"),
            ("SELECT", "/items/8/"),
            ("SELECT", "/items/9/"),
        ] == [(span["name"], parents[span["parent"]]["attributes"]["url.path"]) for span in children]
        assert all(span["trace"] == parents[span["parent"]]["trace"] for span in children)

    def test_continues_the_trace_of_the_caller(self, server: str) -> None:
        last = of_kind("SERVER", run(server, "ours"))[-1]
        assert ("ab" * 16, "cd" * 8) == (last["trace"], last["parent"])

    def test_holds_no_query_string_and_no_parameter(self, server: str) -> None:
        for opt_in in ("", "http/dup,database/dup"):
            text = json.dumps(run(server, "ours", opt_in=opt_in)["spans"])
            assert "s3cret" not in text
            assert "private" not in text

    def test_leaves_the_answers_and_the_context_alone(self, server: str) -> None:
        bare = run(server, "none", "hostile")
        found = run(server, "ours", "hostile")
        assert bare["statuses"] == found["statuses"]
        assert len(found["statuses"]) == len(of_kind("SERVER", found))
        assert not found["left_active"]
        assert [] == found["failures"]

    def test_keeps_both_conventions_where_that_is_asked_for(self, server: str) -> None:
        attributes = of_kind("SERVER", run(server, "ours", opt_in="http/dup,database/dup"))[0]["attributes"]
        assert ("GET", "GET") == (attributes["http.method"], attributes["http.request.method"])

    def test_records_no_metrics(self, server: str) -> None:
        for opt_in in ("", "http/dup,database/dup"):
            found = run(server, "ours", opt_in=opt_in)
            assert ([], []) == (found["metrics"], [name for name in found["meters"] if "instrumentation" in name])


class TestAsync:
    def test_costs_no_change_of_thread(self) -> None:
        assert run("asgi", "none")["hops"] == run("asgi", "ours")["hops"] > 0


class TestQuerySpan:
    def test_holds_the_text_without_its_parameters(self) -> None:
        found = [span["attributes"] for span in of_kind("CLIENT", run("wsgi", "ours"))]
        assert [
            "SELECT %s AS found",
            "CREATE TABLE IF NOT EXISTS kept (value text)",
            "INSERT INTO kept VALUES (%s)",
            "SELECT * FROM nowhere",
            "SELECT %s AS found",
            "SELECT %s AS found",
        ] == [attributes["db.query.text"] for attributes in found]
        assert {"sqlite"} == {attributes["db.system.name"] for attributes in found}

    def test_is_an_error_where_the_query_failed(self) -> None:
        assert ["SELECT * FROM nowhere"] == [
            span["attributes"]["db.query.text"]
            for span in of_kind("CLIENT", run("wsgi", "ours"))
            if span["status"] == "ERROR"
        ]


class TestInstall:
    def test_nothing_without_a_provider(self) -> None:
        found = run("wsgi", "none")
        assert (["work"], []) == ([span["name"] for span in found["spans"]], found["middleware"])

    @SERVERS
    def test_twice_gives_one_span(self, server: str) -> None:
        once, twice = run(server, "ours"), run(server, "ours", "ours")
        assert [span["name"] for span in once["spans"]] == [span["name"] for span in twice["spans"]]
        assert [spans.OURS] == twice["middleware"]

    def test_uninstall_takes_everything_out(self) -> None:
        found = run("wsgi", "ours", "uninstall")
        assert (["work"], []) == ([span["name"] for span in found["spans"]], found["middleware"])

    def test_installs_again_after_uninstall(self) -> None:
        assert len(run("wsgi", "ours")["spans"]) == len(run("wsgi", "ours", "uninstall", "ours")["spans"])

    def test_leaves_out_excluded_urls(self) -> None:
        found = run("wsgi", "excluding")
        assert [name for name in NAMES if name != "GET health/"] == [s["name"] for s in of_kind("SERVER", found)]
        assert STATUSES == found["statuses"]

    def test_leaves_out_what_is_disabled(self) -> None:
        assert [] == of_kind("SERVER", run("wsgi", "no-django"))
        assert 6 == len(of_kind("CLIENT", run("wsgi", "no-django")))
        assert NAMES == [span["name"] for span in of_kind("SERVER", run("wsgi", "no-sqlite3"))]
        assert [] == of_kind("CLIENT", run("wsgi", "no-sqlite3"))
        assert ["work"] == [span["name"] for span in run("wsgi", "no-anything")["spans"]]


class TestFailure:
    @SERVERS
    def test_at_the_beginning_loses_the_span_and_no_request(self, server: str) -> None:
        found = run(server, "crippled")
        assert STATUSES == found["statuses"]
        assert [] == of_kind("SERVER", found)
        assert not found["left_active"]
        assert {"spans.begin: RuntimeError('broken tracing')"} == set(found["failures"])

    @SERVERS
    def test_at_the_end_ends_the_span_all_the_same(self, server: str) -> None:
        found = run(server, "crippled-at-the-end")
        assert STATUSES == found["statuses"]
        assert len(NAMES) == len({span["trace"] for span in of_kind("SERVER", found)})
        assert not found["left_active"]
        assert {"spans.end: RuntimeError('broken tracing')"} == set(found["failures"])


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Spans installed in this process, and out of it afterwards."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    settings = Settings([])
    settings.install(provider)
    yield exporter
    spans.uninstall(get_middleware=settings.get, set_middleware=settings.set)


class Settings:
    """A MIDDLEWARE that remembers how often it was assigned."""

    def __init__(self, middleware: list[str]) -> None:
        self.middleware = middleware
        self.assigned = 0

    def get(self) -> list[str]:
        return self.middleware

    def set(self, middleware: Any) -> None:
        self.middleware = list(middleware)
        self.assigned += 1

    def install(self, provider: TracerProvider | None, disabled: str = "", excluded: str | None = None) -> None:
        spans.install(
            provider,
            disabled=frozenset(disabled.split()),
            excluded_urls=excluded,
            get_middleware=self.get,
            set_middleware=self.set,
        )


class TestMiddlewareSetting:
    ONLY_DJANGO = "sqlite3 psycopg psycopg2 celery requests urllib3 httpx"

    @pytest.mark.parametrize(
        ("given", "wanted"),
        [
            ([], [spans.OURS]),
            (["a", "b"], [spans.OURS, "a", "b"]),
            ([spans.BEFORE, "a", "after"], [spans.BEFORE, spans.OURS, "a", "after"]),
        ],
    )
    def test_holds_one_span_middleware_behind_our_first(self, given: list[str], wanted: list[str]) -> None:
        settings, before = Settings(given), list(given)
        settings.install(TracerProvider(shutdown_on_exit=False), self.ONLY_DJANGO)
        assert wanted == settings.middleware
        assert before == given, "the old list may belong to somebody else"

    def test_is_left_alone_the_second_time(self) -> None:
        settings = Settings(["a"])
        for _ in range(3):
            settings.install(TracerProvider(shutdown_on_exit=False), self.ONLY_DJANGO)
        assert 1 == settings.assigned

    def test_a_wrong_expression_is_named(self) -> None:
        with pytest.raises(ConfigurationError, match=r"OTEL_PYTHON_DJANGO_EXCLUDED_URLS: 'a,\[' does not hold"):
            Settings([]).install(TracerProvider(shutdown_on_exit=False), self.ONLY_DJANGO, "a,[")


class TestBrokenOff:
    @pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError()])
    def test_a_sync_request_ends_its_span(self, exporter: InMemorySpanExporter, error: BaseException) -> None:
        def get_response(request: Any) -> Any:
            raise error

        with pytest.raises(type(error)):
            spans.SpanMiddleware(get_response)(RequestFactory().get("/x"))
        (span,) = exporter.get_finished_spans()
        assert isinstance(error, Exception) == (span.status.status_code is trace.StatusCode.ERROR)
        assert trace.INVALID_SPAN is trace.get_current_span()

    def test_a_cancelled_request_ends_its_span(self, exporter: InMemorySpanExporter) -> None:
        started = []

        async def get_response(request: Any) -> Any:
            started.append(trace.get_current_span())
            await asyncio.sleep(60)
            return HttpResponse()

        middleware: Any = spans.SpanMiddleware(get_response)
        assert iscoroutinefunction(middleware)

        async def main() -> None:
            task = asyncio.ensure_future(middleware(AsyncRequestFactory().get("/x")))
            while not started:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        (span,) = exporter.get_finished_spans()
        assert started[0].get_span_context() == span.get_span_context()
        assert (trace.StatusCode.ERROR, "The client went away.") == (span.status.status_code, span.status.description)
        assert CLIENT_GONE == (span.attributes or {})["error.type"]
