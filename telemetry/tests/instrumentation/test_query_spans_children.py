"""The quick way of starting a query's span gives the span that the SDK gives."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import SpanLimits, Tracer, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler

from telemetry.instrumentation.drivers._children import shared, starter

ATTRIBUTES: dict[str, Any] = {"db.query.text": "SELECT ?", "server.port": 5432}


class Started:
    """A provider, and how often its tracers were asked for a span."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, sampler: Sampler | None = None, **limits: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, span_limits=SpanLimits(**limits), shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("queries", "1", schema_url="https://schema")
        self.asked = 0
        start = Tracer.start_span

        def start_span(tracer: Any, *args: Any, **kwargs: Any) -> Any:
            self.asked += tracer is self.tracer
            return start(tracer, *args, **kwargs)

        monkeypatch.setattr(Tracer, "start_span", start_span)

    def query(self, below: trace.Span) -> trace.Span:
        return starter(self.tracer)("SELECT", trace.set_span_in_context(below), dict(ATTRIBUTES))

    def request(self) -> trace.Span:
        return self.provider.get_tracer("requests").start_span("GET")


class TestQuickSpan:
    def test_is_the_sdks_in_everything_that_is_exported(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started = Started(monkeypatch)
        request = started.request()
        quick = started.query(request)
        assert 0 == started.asked
        slow = started.tracer.start_span(
            "SELECT", trace.set_span_in_context(request), trace.SpanKind.CLIENT, dict(ATTRIBUTES)
        )
        for span in (quick, slow):
            assert span.is_recording()
            span.set_attribute("more", True)
            span.add_event("happened", {"what": "this"})
            span.add_link(request.get_span_context())
            span.set_status(trace.Status(trace.StatusCode.ERROR, "why"))
            span.end()
            assert not span.is_recording()
        told = [json.loads(span.to_json()) for span in started.exporter.get_finished_spans()]
        ids = {span["context"].pop("span_id") for span in told}
        times = [(span.pop("start_time"), span["events"][0].pop("timestamp"), span.pop("end_time")) for span in told]
        assert 2 == len(ids)
        assert all(begin <= middle <= end for begin, middle, end in times)
        assert told[0] == told[1]
        assert vars(slow).keys() == vars(quick).keys()
        first, second = started.exporter.get_finished_spans()
        assert first.instrumentation_scope == second.instrumentation_scope
        assert first.resource is second.resource

    def test_of_a_forked_child_has_the_childs_resource(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The SDK gives a child's tracers another `service.instance.id`; ours may have been prepared before."""
        started = Started(monkeypatch)
        start, below = starter(started.tracer), trace.set_span_in_context(started.request())
        if not (child := os.fork()):
            quick, slow = start("SELECT", below, {}), started.tracer.start_span("SELECT", below)
            os._exit(vars(quick)["_resource"] is not vars(slow)["_resource"])
        assert 0 == os.waitpid(child, 0)[1]

    def test_shares_nothing_with_the_next(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started = Started(monkeypatch)
        request = started.request()
        one, two = started.query(request), started.query(request)
        one.set_attribute("more", True)
        one.add_event("happened")
        one.end()
        two.end()
        (_, other) = started.exporter.get_finished_spans()
        assert (ATTRIBUTES, ()) == (dict(other.attributes or {}), other.events)

    @pytest.mark.parametrize("more", [
        lambda span: span.set_attribute("more", True),
        lambda span: span.set_attributes({"more": True, "and": 1}),
    ], ids=["one", "several"])  # fmt: skip
    def test_has_a_copy_of_shared_attributes_once_it_is_given_more(
        self, monkeypatch: pytest.MonkeyPatch, more: Callable[[trace.Span], None]
    ) -> None:
        started, attributes = Started(monkeypatch), shared(ATTRIBUTES)
        below = trace.set_span_in_context(started.request())
        one, two = (starter(started.tracer)("SELECT", below, attributes) for _ in range(2))
        more(one)
        one.set_attribute("last", "é")
        for span in (one, two):
            span.end()
            span.set_attribute("late", 1)
        first, second = (span.attributes or {} for span in started.exporter.get_finished_spans())
        assert {**ATTRIBUTES, "more": True, "last": "é"} == {key: first[key] for key in first if key != "and"}
        assert ATTRIBUTES == dict(second) == dict(attributes)

    def test_a_query_below_a_query_is_no_less_quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started = Started(monkeypatch)
        outer = started.query(started.request())
        inner: Any = started.query(outer)
        assert (outer.get_span_context(), 0) == (inner.parent, started.asked)

    def test_processors_are_told_of_its_start_and_its_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told: list[Any] = []

        class Processor(SimpleSpanProcessor):
            def on_start(self, span: Any, parent_context: Any = None) -> None:
                told.append(("start", span.name, trace.get_current_span(parent_context)))

        started = Started(monkeypatch)
        request = started.request()
        started.provider.add_span_processor(Processor(InMemorySpanExporter()))
        started.query(request).end()
        assert [("start", "SELECT", request)] == told
        assert ["SELECT"] == [span.name for span in started.exporter.get_finished_spans()]


class TestOtherwise:
    def test_the_sdk_is_asked_for_a_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started = Started(monkeypatch)
        assert started.query(trace.INVALID_SPAN).is_recording()
        assert 1 == started.asked

    @pytest.mark.parametrize("sampled", [False, True])
    def test_the_sdk_is_asked_below_what_is_no_span_of_its_own(
        self, monkeypatch: pytest.MonkeyPatch, sampled: bool
    ) -> None:
        started = Started(monkeypatch)
        parent = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(sampled))
        assert sampled == started.query(trace.NonRecordingSpan(parent)).is_recording()
        assert 1 == started.asked

    @pytest.mark.parametrize(
        ("sampler", "limits"),
        [
            (ALWAYS_ON, {}),
            (ParentBased(ALWAYS_ON, local_parent_sampled=ALWAYS_OFF), {}),
            (None, {"max_span_attributes": 1}),
            (None, {"max_span_attribute_length": 3}),
        ],
    )
    def test_the_sdk_is_asked_where_it_has_more_to_say(
        self, monkeypatch: pytest.MonkeyPatch, sampler: Sampler | None, limits: dict[str, int]
    ) -> None:
        started = Started(monkeypatch, sampler, **limits)
        started.query(started.request())
        assert 1 == started.asked

    def test_so_it_is_where_its_spans_are_not_as_they_are_known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started = Started(monkeypatch)
        kind = type(started.request())
        init = kind.__init__

        def another(self: Any, *args: Any, **kwargs: Any) -> None:
            init(self, *args, **kwargs)
            self._new_in_the_next_version = 1

        monkeypatch.setattr(kind, "__init__", another)
        assert started.query(started.request()).is_recording()
        assert 1 == started.asked
        assert trace.INVALID_SPAN is trace.get_current_span(context.get_current())
