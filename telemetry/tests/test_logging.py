"""Log records carry the trace that they belong to; as JSON they are one line each, and hold nothing private."""

from __future__ import annotations

import asyncio
import io
import logging
import logging.config
import logging.handlers
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.test import RequestFactory
from django.urls import ResolverMatch
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import Span

from telemetry.instrumentation import privacy, served
from telemetry.logging import TraceFilter
from telemetry.tests.logged import configured, logger, shown, written

NONE = ("", "")
tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")


def ids(span: Span) -> tuple[str, str]:
    context = span.get_span_context()
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    with configured() as stream:
        yield stream


class TestTraceFilter:
    def test_names_the_current_span_where_there_is_one(self, stream: io.StringIO) -> None:
        with tracer.start_as_current_span("outer") as outer:
            logger.info("a")
            with tracer.start_as_current_span("inner") as inner:
                logger.info("b")
        logger.info("c")
        found = [(record["message"], record["trace_id"], record["span_id"]) for record in written(stream)]
        assert [("a", *ids(outer)), ("b", *ids(inner)), ("c", *NONE)] == found
        assert {"shop"} == {record["service"] for record in written(stream)}

    def test_names_the_trace_of_an_unsampled_span_too(self, stream: io.StringIO) -> None:
        unsampled = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False).get_tracer("test")
        with unsampled.start_as_current_span("work") as span:
            logger.info("a")
        assert NONE != ids(span)
        assert [ids(span)] == [(record["trace_id"], record["span_id"]) for record in written(stream)]

    def test_tells_tasks_apart(self, stream: io.StringIO) -> None:
        spans: dict[str, Span] = {}

        async def work(name: str) -> None:
            with tracer.start_as_current_span(name) as span:
                spans[name] = span
                await asyncio.sleep(0)
                logger.info(name)

        async def main() -> None:
            await asyncio.gather(work("a"), work("b"))

        asyncio.run(main())
        assert {name: ids(span) for name, span in spans.items()} == {
            record["message"]: (record["trace_id"], record["span_id"]) for record in written(stream)
        }

    def test_a_thread_without_a_span_has_empty_fields(self, stream: io.StringIO) -> None:
        with tracer.start_as_current_span("work"):
            thread = threading.Thread(target=logger.info, args=("a",))
            thread.start()
            thread.join()
        assert [NONE] == [(record["trace_id"], record["span_id"]) for record in written(stream)]

    def test_lets_a_plain_format_name_the_fields(self) -> None:
        record = logging.makeLogRecord({"msg": "a"})
        assert TraceFilter(service="shop").filter(record)
        assert "shop   a" == logging.Formatter("%(service)s %(trace_id)s %(span_id)s %(message)s").format(record)

    def test_keeps_what_a_queue_has_brought(self, stream: io.StringIO) -> None:
        records: queue.Queue[Any] = queue.Queue()
        handler = logging.handlers.QueueHandler(records)
        handler.addFilter(TraceFilter())
        inner = logging.Logger("shop")
        inner.addHandler(handler)
        with tracer.start_as_current_span("work") as span:
            inner.info("a")
        logger.handle(records.get_nowait())
        assert [ids(span)] == [(record["trace_id"], record["span_id"]) for record in written(stream)]

    @pytest.mark.parametrize(
        ("environ", "service"),
        [
            ({}, ""),
            ({"OTEL_SERVICE_NAME": "shop"}, "shop"),
            ({"OTEL_RESOURCE_ATTRIBUTES": "a=b, service.name=the%20shop"}, "the shop"),
            ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=other", "OTEL_SERVICE_NAME": "shop"}, "shop"),
        ],
    )
    def test_names_the_service_of_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], service: str
    ) -> None:
        for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        record = logging.makeLogRecord({})
        TraceFilter().filter(record)
        assert service == record.__dict__["service"]

    def test_needs_no_django(self) -> None:
        code = "import sys, telemetry.logging; print([name for name in sys.modules if name.split('.')[0] == 'django'])"
        assert "[]\n" == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


class TestJsonFormatter:
    def test_has_the_usual_fields_and_what_extra_gives(self, stream: io.StringIO) -> None:
        logger.warning("%d items", 3, extra={"number": 7, "id": UUID(int=5), "deep": {"a": [1.5, None, {2}]}})
        (found,) = written(stream)
        assert found.pop("timestamp").endswith("+00:00")
        assert {
            "level": "WARNING",
            "logger": "shop",
            "message": "3 items",
            "trace_id": "",
            "span_id": "",
            "service": "shop",
            "number": 7,
            "id": str(UUID(int=5)),
            "deep": {"a": [1.5, None, [2]]},
        } == found

    def test_is_one_line_whatever_is_in_it(self) -> None:
        hostile = 'a\nb\r\u2028"\ud800\x00'
        found = shown(msg=hostile, number=float("nan"))
        assert (hostile, "nan") == (found["message"], found["number"])

    def test_ends_for_what_holds_itself(self) -> None:
        circle: list[Any] = []
        circle.append(circle)
        assert shown(circle=circle)["circle"]

    def test_survives_arguments_that_do_not_fit(self) -> None:
        assert "%d items" == shown(msg="%d items", args=("many",))["message"]
        assert "%d of %s" == shown(msg="%d of %s", args=("many", ValueError("s3cret")))["message"]

    def test_extra_overwrites_nothing(self) -> None:
        assert "INFO" == shown(level="other")["level"]

    def test_masks_the_names_of_fields_too(self) -> None:
        found = shown(deep={"jane@example.org": [{"4111111111111111": 1, "password": "s3cret"}]})
        assert {privacy.REDACTED: [{privacy.REDACTED: 1, "password": privacy.REDACTED}]} == found["deep"]

    @pytest.mark.parametrize(
        ("logger", "message", "shows"),
        [
            ("django.server", '"GET /x?token=s3cret HTTP/1.1" 200 12', f"/x?token={privacy.REDACTED} HTTP"),
            (
                "uvicorn.access",
                '1.2.3.4:5 - "GET /x?q=s3cret&page=2 HTTP/1.1" 200',
                f"q={privacy.REDACTED}&page=2 HTTP",
            ),
            ("gunicorn.access", '"GET /" "https://h/?q=s3cret"', f'"https://h/?q={privacy.REDACTED}"'),
            ("shop", "could not fetch https://u:s3cret@h/x?token=s3cret", f"https://h/x?token={privacy.REDACTED}"),
        ],
    )
    def test_shows_of_urls_what_is_harmless(self, logger: str, message: str, shows: str) -> None:
        found = shown(name=logger, msg="%s", args=(message,), link=message)
        assert shows in found["message"]
        assert shows in found["link"]
        assert "s3cret" not in repr(found)

    def test_tells_an_exceptions_type_and_stack_without_its_message(self, stream: io.StringIO) -> None:
        try:
            raise ValueError("s3cret")
        except ValueError:
            logger.exception("failed", stack_info=True)
        (found,) = written(stream)
        assert "ValueError" == found["exception.type"]
        assert "in test_tells_an_exceptions" in found["exception.stacktrace"]
        assert "in test_tells_an_exceptions" in found["stack"]
        assert "s3cret" not in stream.getvalue()

    def test_holds_nothing_private(self) -> None:
        assert f"to {privacy.REDACTED}" == shown(msg="to %s", args=("jane@example.org",))["message"]
        extra = shown(customer="jane", text="jane@example.org", deep={"token": "jane"}, thing=ValueError("jane"))
        assert "jane" not in repr(extra)
        assert "<builtins.ValueError>" == extra["thing"]

    def test_tells_of_a_request_its_method_and_path(self) -> None:
        found = shown(request=RequestFactory().get("/people/jane@example.org/?token=s3cret"))
        assert ("GET", f"/people/{privacy.REDACTED}/") == (found["http.request.method"], found["url.path"])
        assert "s3cret" not in repr(found)

    @pytest.mark.parametrize("name", ["django.db.backends", "django.db.backends.schema"])
    def test_shows_of_djangos_statements_no_parameter(self, name: str) -> None:
        found = shown(
            name=name,
            msg="(%.3f) %s; args=%s; alias=%s",
            args=(0.1, "SELECT 's3cret'", ("s3cret",), "default"),
            sql="SELECT 's3cret'",
            params=("s3cret",),
            alias="default",
            duration=0.1,
        )
        assert ("SELECT ?", "default", 0.1) == (found["message"], found["alias"], found["duration"])
        assert "s3cret" not in repr(found)
        assert "SELECT ? -- " not in shown(name=name, msg="SELECT 's3cret' -- s3cret")["message"]
        assert "s3cret" not in shown(name=name, msg="SELECT 's3cret' -- s3cret")["message"]

    def test_leaves_other_loggers_texts_alone(self) -> None:
        assert "SELECT 'a'" == shown(name="django.db.backendsish", msg="SELECT 'a'")["message"]


class TestRequests:
    def test_shows_of_the_path_what_the_span_shows(self) -> None:
        request = RequestFactory().get("/claims/jane/7/")
        request.resolver_match = ResolverMatch(print, (), {"name": "jane", "id": "7"})
        request.resolver_match.captured_kwargs = {"name": "jane"}  # type: ignore[attr-defined]
        found = shown(msg="Not Found: %s", args=("/claims/jane/7/",), request=request)
        path = f"/claims/{privacy.REDACTED}/7/"
        assert (f"Not Found: {path}", path) == (found["message"], found["url.path"])

    def test_has_the_ids_of_the_requests_span_behind_it(self, stream: io.StringIO) -> None:
        """As Django logs an answer of 4xx: when all middleware has been left."""
        request = RequestFactory().get("/")
        with tracer.start_as_current_span("GET") as span:
            request.__dict__[served.ATTRIBUTE] = SimpleNamespace(span=span)
        logger.warning("Not Found: %s", "/", extra={"request": request})
        logger.warning("no request of Django's", extra={"request": object()})
        with tracer.start_as_current_span("other") as other:
            logger.warning("a", extra={"request": request})
        found = [(record["trace_id"], record["span_id"]) for record in written(stream)]
        assert [ids(span), NONE, ids(other)] == found
