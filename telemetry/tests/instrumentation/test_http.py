from __future__ import annotations

import gc
import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory, override_settings

from telemetry.catalogue.http import UNNAMED_VIEW
from telemetry.middleware import PrometheusAfterMiddleware, PrometheusBeforeMiddleware
from telemetry.projections import evaluate
from telemetry.spec import OVERFLOW
from telemetry.store import MemoryStore
from telemetry.tests.instrumentation.conftest import INNER
from telemetry.tests.instrumentation.recording import AFTER, BEFORE, Recording

BY_METHOD = "django_http_requests_total_by_method_total"
BY_VIEW = "django_http_requests_total_by_view_transport_method_total"
STATUS = "django_http_responses_total_by_status_total"
LATENCY = "django_http_requests_latency_seconds_by_view_method"
OUTER_LATENCY = "django_http_requests_latency_including_middlewares_seconds"
REQUEST_BODY = "django_http_requests_body_total_bytes"
RESPONSE_BODY = "django_http_responses_body_total_bytes"
DURATION = "http_server_request_duration_seconds"


@pytest.fixture
def client() -> Any:
    return Client(raise_request_exception=False)


def through(view: Callable[[HttpRequest], Any], request: HttpRequest) -> Any:
    """One request through both middlewares and nothing else."""
    return PrometheusBeforeMiddleware(PrometheusAfterMiddleware(view))(request)


class TestServerDuration:
    """Labels in the order error_type, method, status, route, protocol, scheme."""

    @pytest.mark.parametrize(
        ("method", "path", "expected"),
        [
            ("GET", "/shop/item/7/", ("", "GET", "200", "shop/item/<int:number>/", "1.1", "http")),
            ("GET", "/nowhere", ("", "GET", "404", "", "1.1", "http")),
            ("FOO", "/ok", ("", "_OTHER", "200", "ok", "1.1", "http")),
            ("GET", "/boom", ("ValueError", "GET", "500", "boom", "1.1", "http")),
            ("GET", "/missing", ("", "GET", "404", "missing", "1.1", "http")),
            ("GET", "/fail/", ("500", "GET", "500", "", "1.1", "http")),
            ("GET", "/slashed", ("", "GET", "301", "", "1.1", "http")),
        ],
    )
    def test_labels(self, recording: Recording, client: Any, method: str, path: str, expected: tuple[str, ...]) -> None:
        client.generic(method, path)
        assert [expected] == list(recording.series(DURATION))
        assert 1 == recording.value(DURATION, *expected)

    def test_an_exception_that_escapes_the_stack(self, recording: Recording, client: Any) -> None:
        with pytest.raises(SystemExit):
            client.get("/exit/")
        assert [("SystemExit", "GET", "", "", "1.1", "http")] == list(recording.series(DURATION))
        assert 0 == recording.in_flight()
        assert {} == recording.series(STATUS)

    def test_a_view_that_takes_the_worker_down_has_been_entered(self, recording: Recording, rf: RequestFactory) -> None:
        def view(request: HttpRequest) -> HttpResponse:
            recording.http.entered(request, after)
            raise SystemExit(1)

        after = PrometheusAfterMiddleware(view)
        with pytest.raises(SystemExit):
            PrometheusBeforeMiddleware(after)(rf.get("/"))
        assert {("GET", "http", UNNAMED_VIEW): 1} == recording.series(BY_VIEW)


class TestInFlight:
    def test_a_request_is_in_flight_while_it_is_served(self, recording: Recording, rf: RequestFactory) -> None:
        def view(request: HttpRequest) -> HttpResponse:
            assert {("POST", "http"): 1.0} == recording.series("http_server_active_requests")
            return HttpResponse()

        through(view, rf.post("/"))
        assert {("POST", "http"): 0.0} == recording.series("http_server_active_requests")

    def test_a_stream_is_in_flight_to_its_last_byte(self, recording: Recording, client: Any) -> None:
        response = client.get("/stream")
        assert 1 == recording.value(STATUS, "200")
        content = iter(response.streaming_content)
        next(content)
        assert 1 == recording.in_flight()
        assert 0 == recording.value(LATENCY, "GET", "stream")
        assert b"two,three" == b"".join(content)
        assert 0 == recording.in_flight()
        assert 1 == recording.value(LATENCY, "GET", "stream")
        assert 1 == recording.value(OUTER_LATENCY)
        assert 13 == recording.sum(RESPONSE_BODY)

    def test_a_process_that_counts_an_end_without_its_beginning_takes_nothing_from_the_others(
        self, recording: Recording
    ) -> None:
        catalogue, *_ = recording.catalogues
        key = ("GET", "http", "", "200", "", "")
        recording.store.table(catalogue.done).observe(key, 0.1)
        assert {("GET", "http"): 0} == recording.series("http_server_active_requests")
        reading = recording.store.read()
        table = reading.tables[catalogue.done.name]
        table.gone, table.living = table.living, {}
        lost = [each for each in catalogue.projections if each.family.name == "telemetry_http_requests_lost_total"]
        assert [((), 0.0)] == evaluate(lost[0], reading).series

    def test_what_a_dead_process_had_not_ended_is_lost(self, recording: Recording, rf: RequestFactory) -> None:
        catalogue, *_ = recording.catalogues
        recording.http.begun(rf.get("/"))
        through(lambda request: HttpResponse(), rf.get("/"))
        reading = recording.store.read()
        for table in reading.tables.values():
            table.gone, table.living = table.living, {}
        values = {each.family.name: evaluate(each, reading).series for each in catalogue.projections}
        assert [((), 1.0)] == values["telemetry_http_requests_lost_total"]
        assert [] == values["http_server_active_requests"]


class TestHostileRequests:
    @pytest.mark.parametrize(
        ("given", "counted"),
        [
            ("banana", 0),
            ("-5", 0),
            ("", 0),
            ("12", 12),
            ("1e3", 0),
            ("²", 0),
            ("9" * 15, 2**40),
            ("9" * 5000, 2**40),
            (" 7", 0),
            ("7, 7", 0),
        ],
    )
    def test_content_length(self, recording: Recording, rf: RequestFactory, given: str, counted: int) -> None:
        request = rf.get("/", CONTENT_LENGTH=given)
        assert 200 == through(lambda request: HttpResponse(), request).status_code
        assert counted == recording.sum(REQUEST_BODY)
        assert 1 == recording.value(REQUEST_BODY)

    def test_methods_are_a_closed_set(self, recording: Recording, client: Any) -> None:
        for number in range(50):
            client.generic(f"M{number}", "/ok")
        assert {("<invalid method>",): 50} == recording.series(BY_METHOD)
        assert {("<invalid method>", "ok")} == set(recording.series(LATENCY))

    def test_a_status_outside_http(self, recording: Recording, rf: RequestFactory) -> None:
        def view(request: HttpRequest) -> HttpResponse:
            response = HttpResponse()
            response.status_code = 99_999
            return response

        through(view, rf.get("/"))
        assert {("<invalid status>",): 1} == recording.series(STATUS)

    @pytest.mark.parametrize("header", ["X-Forwarded-Proto", ("one",), ("one", "two", "three")])
    def test_a_malformed_proxy_header_setting(self, rf: RequestFactory, header: Any) -> None:
        with Recording() as recording, override_settings(SECURE_PROXY_SSL_HEADER=header):
            through(lambda request: HttpResponse(), rf.get("/"))
            assert {("GET",): 1} == recording.series(BY_METHOD)
            assert 0 == recording.in_flight()
            assert [("http.scheme",)] == recording.dropped()

    def test_charsets_are_bounded_and_nothing_is_lost(self, rf: RequestFactory) -> None:
        with Recording(limit=3) as recording:
            for number in range(10):
                response = HttpResponse(content_type=f"text/plain; charset=c{number}")
                through(lambda request, response=response: response, rf.get("/"))  # type: ignore[misc]
            charsets = recording.series("django_http_responses_total_by_charset_total")
            assert {("c0",): 1, ("c1",): 1, ("c2",): 1, (OVERFLOW,): 7} == charsets
            assert 7 == recording.value("telemetry_series_overflow_total", "http.charset")

    def test_label_values_are_short_and_printable(self, recording: Recording, rf: RequestFactory) -> None:
        response = HttpResponse()
        response.charset = "\ud800" + "x" * 9999
        through(lambda request: response, rf.get("/"))
        ((charset,),) = recording.series("django_http_responses_total_by_charset_total")
        assert "?" + "x" * 255 == charset


class TestExclusion:
    def test_an_excluded_request_leaves_no_trace(self, client: Any) -> None:
        with Recording(exclude=lambda request: request.path in ("/boom", "/template", "/stream")) as recording:
            for path, status in (("/boom", 500), ("/template", 200), ("/stream", 200)):
                response = client.get(path)
                assert status == response.status_code
                response.close()
            assert all(not table.living for table in recording.store.read().tables.values())
            client.get("/ok")
            assert 1 == recording.value(BY_METHOD, "GET")

    def test_a_failing_predicate_harms_nobody(self, client: Any) -> None:
        def exclude(request: HttpRequest) -> bool:
            raise KeyError("no")

        with Recording(exclude=exclude) as recording:
            assert 200 == client.get("/ok").status_code
            assert [("http.begun",)] == recording.dropped()


class TestShortCircuits:
    def test_they_join_the_views_families(self, recording: Recording, client: Any) -> None:
        client.get("/short/1")
        assert {("403",): 1} == recording.series(STATUS)
        assert {("GET", UNNAMED_VIEW)} == set(recording.series(LATENCY))
        assert {} == recording.series(BY_VIEW)

    def test_unless_told_otherwise(self, client: Any) -> None:
        with Recording(short_circuits=False) as recording:
            client.get("/short/1")
            assert {} == recording.series(STATUS)
            assert 1 == recording.value(OUTER_LATENCY)

    def test_a_rejected_post_has_not_entered_its_view(self, recording: Recording) -> None:
        Client(enforce_csrf_checks=True).post("/echo")
        assert {("POST", "403", "echo"): 1} == recording.series(
            "django_http_responses_total_by_status_view_method_total"
        )
        assert {} == recording.series(BY_VIEW)


class TestPlacement:
    @pytest.mark.parametrize(
        "middleware",
        [
            [BEFORE, *INNER, AFTER],
            [*INNER, BEFORE, AFTER],
            [BEFORE, BEFORE, *INNER, AFTER, AFTER],
            [BEFORE, AFTER, *INNER, BEFORE, AFTER],
            [*INNER, AFTER],
            [AFTER, *INNER, AFTER],
        ],
        ids=["apart", "together", "twice", "pairs", "after alone", "two afters alone"],
    )
    def test_each_request_counts_once(self, recording: Recording, client: Any, middleware: list[str]) -> None:
        with override_settings(MIDDLEWARE=middleware):
            client.get("/ok")
            client.get("/template")
            client.get("/boom")
        assert {("GET",): 3} == recording.series(BY_METHOD)
        assert {("GET", "http", view): 1 for view in ("ok", "template", "boom")} == recording.series(BY_VIEW)
        assert {("200",): 2, ("500",): 1} == recording.series(STATUS)
        assert {("hello.html",): 1} == recording.series("django_http_responses_total_by_templatename_total")
        assert {("ValueError",): 1} == recording.series("django_http_exceptions_total_by_type_total")
        assert 3 == recording.value(OUTER_LATENCY)
        assert 0 == recording.in_flight()

    def test_of_several_the_innermost_tells_whether_a_view_was_entered(self, recording: Recording) -> None:
        with override_settings(MIDDLEWARE=[BEFORE, AFTER, *INNER, BEFORE, AFTER]):
            Client(enforce_csrf_checks=True).post("/echo")
        assert {} == recording.series(BY_VIEW)
        assert {("403",): 1} == recording.series(STATUS)

    def test_before_alone(self, recording: Recording, client: Any) -> None:
        with override_settings(MIDDLEWARE=[BEFORE, *INNER]):
            client.get("/ok")
        assert {("GET", "200", "ok"): 1} == recording.series("django_http_responses_total_by_status_view_method_total")
        assert 0 == recording.in_flight()


class TestStreams:
    """However a stream ends, it ends once."""

    @staticmethod
    def ends(recording: Recording) -> tuple[float, float, float, float]:
        return (
            recording.in_flight(),
            recording.value(OUTER_LATENCY),
            recording.value(LATENCY, "GET", UNNAMED_VIEW),
            recording.value(RESPONSE_BODY),
        )

    def test_closed_before_the_first_byte(self, recording: Recording, rf: RequestFactory) -> None:
        response = through(lambda request: StreamingHttpResponse(iter([b"a"])), rf.get("/"))
        assert (1, 0, 0, 0) == self.ends(recording)
        response.close()
        assert (0, 1, 1, 1) == self.ends(recording)
        response.close()
        assert (0, 1, 1, 1) == self.ends(recording)

    def test_closed_after_the_last_byte(self, recording: Recording, rf: RequestFactory) -> None:
        response = through(lambda request: StreamingHttpResponse(iter([b"a", b"b"])), rf.get("/"))
        assert b"ab" == response.getvalue()
        response.close()
        assert (0, 1, 1, 1) == self.ends(recording)

    def test_forgotten(self, recording: Recording, rf: RequestFactory) -> None:
        gc.disable()
        try:
            response = through(lambda request: StreamingHttpResponse(iter([b"a", b"b"])), rf.get("/"))
            assert b"a" == next(iter(response))
            del response
            assert (0, 1, 1, 1) == self.ends(recording)
        finally:
            gc.enable()

    def test_failing_half_way(self, recording: Recording, client: Any) -> None:
        response = client.get("/stream/broken")
        with pytest.raises(OSError, match="the stream's source failed"):
            b"".join(response.streaming_content)
        assert [("OSError", "GET", "200", "stream/broken", "1.1", "http")] == list(recording.series(DURATION))
        assert 4 == recording.sum(RESPONSE_BODY)
        assert 0 == recording.in_flight()

    def test_the_applications_generator_is_closed(self, recording: Recording, rf: RequestFactory) -> None:
        closed = []

        def content() -> Iterator[bytes]:
            try:
                yield b"a"
                yield b"b"
            finally:
                closed.append(True)

        response = through(lambda request: StreamingHttpResponse(content()), rf.get("/"))
        next(iter(response))
        response.close()
        assert [True] == closed

    def test_content_other_than_bytes(self, recording: Recording, rf: RequestFactory) -> None:
        parts = ["é", b"bytes", memoryview(b"view"), 42]
        response = through(lambda request: StreamingHttpResponse(iter(parts), charset="latin-1"), rf.get("/"))
        assert b"\xe9bytesview42" == response.getvalue()
        assert 12 == recording.sum(RESPONSE_BODY)

    def test_a_middleware_that_wraps_the_content(self, recording: Recording, client: Any) -> None:
        response = client.get("/stream", headers={"Accept-Encoding": "gzip"})
        assert "gzip" == response["Content-Encoding"]
        b"".join(response.streaming_content)
        assert 13 == recording.sum(RESPONSE_BODY), "the size before compression"
        assert 0 == recording.in_flight()
        assert 1 == recording.value(OUTER_LATENCY)

    def test_a_middleware_that_makes_another_response(self, recording: Recording, rf: RequestFactory) -> None:
        after: Any = PrometheusAfterMiddleware(lambda request: StreamingHttpResponse(iter([b"a"])))
        before: Any = PrometheusBeforeMiddleware(
            lambda request: StreamingHttpResponse(after(request).streaming_content)
        )
        assert b"a" == before(rf.get("/")).getvalue()
        assert (0, 1, 1, 1) == self.ends(recording)


class TestStreamOutcomes:
    """Whether a stream that was not read to its end is a client that has gone away."""

    @staticmethod
    def errors(recording: Recording) -> list[str]:
        return [labels[0] for labels in recording.series(DURATION)]

    def test_read_to_the_end(self, recording: Recording, rf: RequestFactory) -> None:
        response = through(lambda request: StreamingHttpResponse(iter([b"a"])), rf.get("/"))
        assert b"a" == response.getvalue()
        response.close()
        assert [""] == self.errors(recording)

    @pytest.mark.parametrize("parts", [0, 1, 2])
    def test_closed_before(self, recording: Recording, rf: RequestFactory, parts: int) -> None:
        response = through(lambda request: StreamingHttpResponse(iter([b"a", b"b"])), rf.get("/"))
        content = iter(response)
        for _ in range(parts):
            next(content)
        response.close()
        assert ["client_disconnected"] == self.errors(recording)

    def test_closed_before_in_a_compressing_stack(self, recording: Recording, client: Any) -> None:
        response = client.get("/stream", headers={"Accept-Encoding": "gzip"})
        response.close()
        assert ["client_disconnected"] == self.errors(recording)

    @pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
    def test_one_without_a_body_need_not_be_read(
        self, recording: Recording, rf: RequestFactory, method: str, status: int
    ) -> None:
        request = rf.generic(method, "/")
        through(lambda request: StreamingHttpResponse(iter([b"a"]), status=status), request).close()
        assert [""] == self.errors(recording)

    @pytest.mark.parametrize(("environ", "error"), [({"wsgi.file_wrapper": object}, ""), ({}, "client_disconnected")])
    def test_a_file_that_the_server_sends_by_itself(
        self, recording: Recording, rf: RequestFactory, environ: dict[str, Any], error: str
    ) -> None:
        through(lambda request: FileResponse(io.BytesIO(b"data")), rf.get("/", **environ)).close()
        assert [error] == self.errors(recording)

    def test_a_server_error_that_nobody_reads_to_its_end(self, recording: Recording, rf: RequestFactory) -> None:
        through(lambda request: StreamingHttpResponse(iter([b"a"]), status=503), rf.get("/")).close()
        assert ["client_disconnected"] == self.errors(recording)


class TestFiles:
    @staticmethod
    def serve(environ: dict[str, Any]) -> tuple[Any, dict[str, str]]:
        headers: dict[str, str] = {}
        handler: Any = WSGIHandler()
        body = handler(environ, lambda status, pairs: headers.update(pairs))
        return body, headers

    def test_the_servers_own_way_of_sending_is_kept(self, recording: Recording, rf: RequestFactory) -> None:
        class Wrapper:
            def __init__(self, file: Any, size: int) -> None:
                self.file = file
                self.close = file.close

        body, headers = self.serve({**rf.get("/file").environ, "wsgi.file_wrapper": Wrapper})
        assert isinstance(body, Wrapper)
        assert isinstance(body.file, io.BytesIO)
        assert "10000" == headers["Content-Length"]
        assert 1 == recording.in_flight()
        body.close()
        assert 0 == recording.in_flight()
        assert 10_000 == recording.sum(RESPONSE_BODY)

    def test_iterated(self, recording: Recording, rf: RequestFactory) -> None:
        body, _ = self.serve(rf.get("/file").environ)
        assert 10_000 == len(b"".join(body))
        assert 0 == recording.in_flight()
        assert 10_000 == recording.sum(RESPONSE_BODY)
        body.close()
        assert 1 == recording.value(RESPONSE_BODY)

    def test_the_file_is_closed(self, recording: Recording, rf: RequestFactory) -> None:
        file = io.BytesIO(b"data")
        through(lambda request: FileResponse(file), rf.get("/")).close()
        assert file.closed


class _BrokenStore(MemoryStore):
    def bind(self, table: Any, key: Any) -> int:
        if table.layout.name.startswith("http."):
            raise OSError("no space left")
        return super().bind(table, key)


class TestGuard:
    def test_a_store_that_fails_harms_nobody(self, client: Any, caplog: pytest.LogCaptureFixture) -> None:
        with Recording(_BrokenStore()) as recording, caplog.at_level(logging.ERROR, "telemetry"):
            for _ in range(3):
                assert b"ok" == client.get("/ok").content
                assert b"one,two,three" == b"".join(client.get("/stream").streaming_content)
                assert 500 == client.get("/boom").status_code
                assert b"hello world" == client.get("/template").content
            assert 12 == recording.value("telemetry_dropped_total", "http.begun")
            assert {
                ("http.begun",),
                ("http.answered",),
                ("http.done",),
                ("http.exception",),
                ("http.template",),
            } <= set(recording.dropped())
            logged = [record.getMessage() for record in caplog.records if record.name == "telemetry"]
            assert len(recording.dropped()) == len(logged), "one line for each place"
