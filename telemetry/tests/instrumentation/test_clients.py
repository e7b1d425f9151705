"""Outgoing HTTP calls have the stock instrumentations' spans, and carry their context; tracing hurts no call."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
import urllib3
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.util.http import parse_excluded_urls

from telemetry.instrumentation import clients, privacy
from telemetry.tests.instrumentation.client_calls import CLIENTS, Server, methods, serving, stock, traced
from telemetry.tests.instrumentation.query_spans import BOTH, STABLE, Traces, conventions, instrumented, shown

EVERY = pytest.mark.parametrize("client", CLIENTS)
WORD = "Pl4nt3dW0rd"


@pytest.fixture(autouse=True)
def nobody_elses() -> None:
    """Undo what tests before these may have left switched on: then `install` would change nothing."""
    clients.uninstall()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def urls(traces: Traces) -> list[Any]:
    return [(span.attributes or {}).get("url.full", (span.attributes or {}).get("http.url")) for span in traces.spans]


def work(client: str, server: Server, closed: str) -> None:
    """What calls meet: answers of all kinds, a redirect, and no answer."""
    call = CLIENTS[client]
    assert 200 == call("GET", server.url("/items/200?page=2"), {"User-Agent": "bot/1"})
    assert 404 == call("POST", server.url("/404"))
    assert 500 == call("GET", server.url("/500"))
    assert 200 == call("GET", server.url("/to/200"))
    assert 200 == call("BREW", server.url("/200"))
    for url in (closed, server.url("/none")):
        with pytest.raises(Exception, match=r"."):
            call("GET", url)


def as_meant(stock: dict[str, Any]) -> dict[str, Any]:
    """What our span is to be where the stock one is `stock`. Each difference that is meant, and why.

    - The server's address and port, and `error.type` of a call without an answer, are there: the stable conventions
      want them, the stock code for urllib3 keeps them for its metrics.
    - URLs are cleaned, and the messages of exceptions are gone from event and status: they quote the URL.
    """
    attributes = dict(stock["attributes"])
    for name in ("url.full", "http.url"):
        if name in attributes:
            attributes[name] = privacy.url(attributes[name])
    found = re.match(r"http://([^:/]+):(\d+)/", attributes["url.full"])
    assert found is not None
    attributes |= {"server.address": found[1], "server.port": int(found[2])}
    events, status = stock["events"], stock["status"]
    if events:
        attributes["error.type"] = status[1].partition(":")[0]
        status = ("ERROR", attributes["error.type"])
        events = [(event, [key for key in keys if key != "exception.message"], kind) for event, keys, kind in events]
    return stock | {"attributes": attributes, "status": status, "events": events}


class TestAgainstStock:
    @EVERY
    @pytest.mark.parametrize("opt_in", [STABLE, BOTH])
    def test_the_spans_are_the_stock_ones_but_for_what_is_meant(self, client: str, opt_in: str, server: Server) -> None:
        with serving() as gone:
            closed = gone.url("/gone")
        with conventions(opt_in):
            with instrumented(stock(client), Traces()) as theirs, theirs.tracer.start_as_current_span("work"):
                work(client, server, closed)
            with traced() as ours, ours.tracer.start_as_current_span("work"):
                work(client, server, closed)
        expected, found = ([shown(span, each.spans) for span in each.spans] for each in (theirs, ours))
        assert [*map(as_meant, expected[:-1]), expected[-1]] == found
        # All but requests have a span for each hop of a redirect.
        assert 8 + (client != "requests") == len(found)

    @EVERY
    def test_conventions_are_the_stable_ones_without_being_asked_for(self, client: str, server: Server) -> None:
        with conventions(""), traced() as traces:
            CLIENTS[client]("GET", server.url("/200"))
        (span,) = traces.spans
        assert ("GET", None) == tuple(
            (span.attributes or {}).get(name) for name in ("http.request.method", "http.method")
        )

    def test_what_is_switched_on_later_reads_the_variable(self) -> None:
        with conventions(""):
            with traced():
                pass
            with serving() as server, instrumented(stock("requests"), Traces()) as theirs:
                CLIENTS["requests"]("GET", server.url("/200"))
        assert "http.method" in (theirs.spans[0].attributes or {})


def sent(span: ReadableSpan) -> str:
    context = span.get_span_context()
    assert context is not None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


class TestContext:
    @EVERY
    def test_what_is_received_is_the_spans(self, client: str, server: Server) -> None:
        with traced() as traces, traces.tracer.start_as_current_span("request") as request:
            CLIENTS[client]("GET", server.url("/200"))
        (call, _) = traces.spans
        assert sent(call) == server.headers["/200"]["traceparent"]
        assert call.parent == request.get_span_context()
        assert (trace.SpanKind.CLIENT, True) == (call.kind, request.get_span_context().trace_flags.sampled)

    def test_one_span_where_one_library_calls_another(self, server: Server) -> None:
        with traced() as traces:
            CLIENTS["requests"]("GET", server.url("/200"))
        assert ["opentelemetry.instrumentation.requests"] == [
            span.instrumentation_scope.name for span in traces.spans if span.instrumentation_scope is not None
        ]

    def test_a_session_is_not_needed(self, server: Server) -> None:
        """Upstream's webhooks are sent by an adapter."""
        with traced() as traces:
            prepared = requests.Request("GET", server.url("/200")).prepare()
            requests.adapters.HTTPAdapter().send(prepared, timeout=10).close()
        assert [sent(span) for span in traces.spans] == [server.headers["/200"]["traceparent"]]

    def test_headers_of_a_pool_still_go_out(self, server: Server) -> None:
        with traced(), urllib3.HTTPConnectionPool("127.0.0.1", server.port, headers={"X-Mine": "1"}) as pool:
            pool.urlopen("GET", "/none-given")
            pool.urlopen("GET", "/by-position", None, {"X-Other": "2"})
        none_given, by_position = server.headers["/none-given"], server.headers["/by-position"]
        assert ("1", True) == (none_given.get("x-mine"), "traceparent" in none_given)
        assert ("2", True, False) == (by_position.get("x-other"), "traceparent" in by_position, "x-mine" in by_position)

    def test_headers_of_the_application_are_not_written_to(self, server: Server) -> None:
        headers = {"X-Mine": "1"}
        for flags in (0, 1):
            parent = trace.SpanContext(0xAB, 0xCD, is_remote=True, trace_flags=trace.TraceFlags(flags))
            for call in CLIENTS.values():
                with traced(), trace.use_span(trace.NonRecordingSpan(parent)):
                    call("GET", server.url("/200"), headers)
        assert {"X-Mine": "1"} == headers

    @EVERY
    def test_none_where_instrumentation_is_suppressed(self, client: str, server: Server) -> None:
        with traced() as traces, suppress_instrumentation():
            CLIENTS[client]("GET", server.url("/200"))
        assert ([], False) == (traces.names, "traceparent" in server.headers["/200"])


class Asked(Sampler):
    """A sampler of an application, that keeps how often it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked = 0
        self.error = error

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return SamplingResult(Decision.DROP)

    def get_description(self) -> str:
        return "Asked"


class TestSampling:
    PARENT = trace.SpanContext(0xAB, 0xCD, is_remote=True)

    def call(self, client: str, server: Server, sampler: Sampler | None) -> list[str]:
        """The parts of `traceparent` of a call below a parent that is not sampled; there is no span of it."""
        with traced(sampler) as traces, trace.use_span(trace.NonRecordingSpan(self.PARENT)):
            assert 200 == CLIENTS[client]("GET", server.url("/200"))
        assert [] == traces.names
        return server.headers["/200"]["traceparent"].split("-")

    @EVERY
    def test_below_an_unsampled_parent_its_context_is_sent_and_no_stock_code_asked(
        self, client: str, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_span(*args: object, **kwargs: object) -> None:
            raise AssertionError

        monkeypatch.setattr("telemetry.instrumentation._client_tracer._PrivateTracer.start_as_current_span", no_span)
        assert ["00", f"{0xAB:032x}", f"{0xCD:016x}", "00"] == self.call(client, server, None)

    @EVERY
    def test_any_other_sampler_is_asked(self, client: str, server: Server) -> None:
        sampler = Asked()
        _, trace_id, _, flags = self.call(client, server, sampler)
        assert (1, f"{0xAB:032x}", "00") == (sampler.asked, trace_id, flags)

    @EVERY
    def test_a_root_that_is_not_sampled_says_so(self, client: str, server: Server) -> None:
        with traced(ParentBased(ALWAYS_OFF)) as traces:
            CLIENTS[client]("GET", server.url("/200"))
        flags = int(server.headers["/200"]["traceparent"].split("-")[3], 16)
        assert ([], 0) == (traces.names, flags & trace.TraceFlags.SAMPLED)

    @EVERY
    @pytest.mark.parametrize("sampled", [True, False])
    def test_excluded_urls_are_left_alone(
        self, client: str, sampled: bool, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OTEL_PYTHON_HTTPX_EXCLUDED_URLS", "/200")
        for name in ("requests", "urllib3"):  # these read it when they are imported
            module = f"opentelemetry.instrumentation.{name}._excluded_urls_from_env"
            monkeypatch.setenv(f"OTEL_PYTHON_{name.upper()}_EXCLUDED_URLS", "/200")
            monkeypatch.setattr(module, parse_excluded_urls("/200"))
        parent = trace.SpanContext(0xAB, 0xCD, is_remote=True, trace_flags=trace.TraceFlags(sampled))
        with traced() as traces, trace.use_span(trace.NonRecordingSpan(parent)):
            CLIENTS[client]("GET", server.url("/200"))
        assert ([], False) == (traces.names, "traceparent" in server.headers["/200"])


class Breaking(SpanProcessor):
    """Raises where a span ends."""

    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError("broken processor")


class TestTroubles:
    @EVERY
    def test_what_breaks_before_a_call_costs_its_span(self, client: str, server: Server) -> None:
        failures: list[str] = []
        with traced(Asked(RuntimeError("broken sampler")), failures):
            assert 200 == CLIENTS[client]("GET", server.url("/200"))
        # Of requests the call goes on by urllib3, which is asked too.
        assert ["spans.clients: RuntimeError('broken sampler')"] * (1 + (client == "requests")) == failures
        assert ["/200"] == server.paths

    @EVERY
    def test_what_breaks_behind_it_costs_neither_its_answer_nor_a_second_one(self, client: str, server: Server) -> None:
        failures: list[str] = []
        with traced(failures=failures) as traces:
            traces.provider.add_span_processor(Breaking())
            assert 200 == CLIENTS[client]("GET", server.url("/200"))
        assert (["spans.clients: RuntimeError('broken processor')"], ["/200"]) == (failures, server.paths)

    @EVERY
    def test_the_librarys_own_error_comes_out(self, client: str, server: Server) -> None:
        errors: list[BaseException] = []
        failures: list[str] = []
        for processors in ([], [Breaking()]):
            with traced(failures=failures) as traces:
                for processor in processors:
                    traces.provider.add_span_processor(processor)
                with pytest.raises(Exception, match=r".") as raised:
                    CLIENTS[client]("GET", server.url("/none"))
                errors.append(raised.value)
        with pytest.raises(type(errors[0])) as bare:
            CLIENTS[client]("GET", server.url("/none"))
        assert [type(bare.value)] * 2 == [*map(type, errors)]
        assert (1, ["/none"] * 3) == (len(failures), server.paths)

    @EVERY
    def test_an_answer_that_the_stock_code_cannot_read(self, client: str, server: Server) -> None:
        failures: list[str] = []
        with traced(failures=failures) as traces:
            assert 200 == CLIENTS[client]("GET", server.url("/twice"))
        assert (1, ["/twice"]) == (len(traces.spans), server.paths)
        assert ("urllib3" == client) == bool(failures)


class TestSwitch:
    def test_methods_are_as_they_were_afterwards(self) -> None:
        before = methods()
        with traced():
            assert all(mine is not original for mine, original in zip(methods(), before, strict=True))
        assert before == methods()

    @EVERY
    def test_twice_is_once(self, client: str, server: Server) -> None:
        with traced() as traces:
            clients.install(Traces().provider, frozenset(), lambda *_: None)
            CLIENTS[client]("GET", server.url("/200"))
        assert ["GET"] == traces.names

    @EVERY
    def test_those_that_are_named_are_left_alone(self, client: str) -> None:
        before = methods()
        clients.install(Traces().provider, frozenset(clients.LIBRARIES), lambda *_: None)
        assert before == methods()

    @EVERY
    def test_where_the_stock_one_is_in_the_spans_are_its(self, client: str, server: Server) -> None:
        with instrumented(stock(client), Traces()) as theirs, traced() as ours:
            CLIENTS[client]("GET", server.url("/200"))
        assert (["GET"], []) == (theirs.names, [name for name in ours.names if client != "requests"])
        assert [sent(span) for span in theirs.spans] == [server.headers["/200"]["traceparent"]]

    @EVERY
    def test_the_stock_one_may_come_later(self, client: str, server: Server) -> None:
        before = methods()
        with traced() as ours:
            with instrumented(stock(client), Traces()) as theirs:
                CLIENTS[client]("GET", server.url("/200"))
            CLIENTS[client]("GET", server.url("/200"))
        assert (["GET"], ["GET"]) == (theirs.names, ours.names)
        assert before == methods()

    @EVERY
    def test_it_may_stay_longer(self, client: str, server: Server) -> None:
        with traced() as ours:
            stock(client).instrument(tracer_provider=Traces().provider)
        try:
            CLIENTS[client]("GET", server.url("/200"))
        finally:
            stock(client).uninstrument()
        assert 200 == CLIENTS[client]("GET", server.url("/200"))
        assert [] == ours.names

    def test_it_may_be_in_for_one_client_alone(self, server: Server) -> None:
        theirs = Traces()
        with traced() as ours, httpx.Client() as client, httpx.Client() as other:
            HTTPXClientInstrumentor.instrument_client(client, tracer_provider=theirs.provider)
            client.get(server.url("/200"))
            other.get(server.url("/404"))
        assert ([server.url("/200")], [server.url("/404")]) == (urls(theirs), urls(ours))

    def test_it_may_be_in_for_one_asynchronous_client_alone(self, server: Server) -> None:
        theirs = Traces()

        async def call() -> None:
            async with httpx.AsyncClient() as client:
                HTTPXClientInstrumentor.instrument_client(client, tracer_provider=theirs.provider)
                await client.get(server.url("/200"))

        with traced() as ours:
            asyncio.run(call())
        assert ([server.url("/200")], []) == (urls(theirs), urls(ours))


class TestPrivacy:
    @EVERY
    @pytest.mark.parametrize("opt_in", [STABLE, BOTH])
    def test_nothing_that_is_planted_is_in_a_span(
        self, client: str, opt_in: str, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for what in ("REQUEST", "RESPONSE"):
            monkeypatch.setenv(f"OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_{what}", ".*")
        server.answer_headers = {"Set-Cookie": f"s={WORD}", "X-Auth-Token": WORD, "Content-Location": f"/x?key={WORD}"}
        path = f"/services/T0{WORD}/B0{WORD}/{WORD}"
        headers = {"Authorization": f"Bearer {WORD}", "Cookie": WORD, "X-Api-Key": WORD, "X-Fine": "shown"}
        with conventions(opt_in), traced() as traces:
            CLIENTS[client]("GET", server.url(f"{path}?token={WORD}&page=2", f"user:{WORD}@"), headers)
            with pytest.raises(Exception, match=r"."):
                CLIENTS[client]("GET", server.url(f"{path}/none?token={WORD}&page=2", f"user:{WORD}@"))
        assert [path, f"{path}/none"] == server.paths
        told = [json.loads(span.to_json()) for span in traces.spans]
        assert WORD not in json.dumps(told)
        shown = "/services/REDACTED/REDACTED/REDACTED?token=REDACTED&page=2"
        assert server.url(shown) == told[0]["attributes"]["url.full"]
        assert ["shown"] == told[0]["attributes"]["http.request.header.x_fine"]
        assert "http.response.header.content_length" in told[0]["attributes"]
