"""The quick beginning of a request's span gives what the SDK gives, whatever its own samplers answer."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanLimits, Tracer, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TraceState

from telemetry.instrumentation._request_attributes import Rules
from telemetry.instrumentation._request_start import starter
from telemetry.instrumentation._stock import StabilityMode

HALF = TraceIdRatioBased(0.5)
SAMPLERS: dict[str, Sampler] = {
    "all": ALWAYS_ON,
    "none": ALWAYS_OFF,
    "half": HALF,
    "parent or all": DEFAULT_ON,
    "parent or none": DEFAULT_OFF,
    "parent or half": ParentBased(HALF),
    "parent or half, by name": ParentBasedTraceIdRatio(0.5),
    "against the parent": ParentBased(HALF, ALWAYS_OFF, ALWAYS_ON, HALF, ALWAYS_ON),
}
STATE = TraceState([("vendor", "value")])
LOW, HIGH = 0xAB << 64 | 7, 0xAB << 64 | 1 << 63
"""Trace ids of which the first is in the lower half, and the second is not."""


class Counted(IdGenerator):
    """Ids that are the same for both ways."""

    def __init__(self, first: int, *, random: bool) -> None:
        self._trace, self._span, self._random = first, 1, random

    def generate_trace_id(self) -> int:
        return self._trace

    def generate_span_id(self) -> int:
        self._span += 1
        return self._span

    def is_trace_id_random(self) -> bool:
        return self._random


class Asked(ParentBased):
    """A sampler of the application's own, which looks at the attributes."""

    def __init__(self) -> None:
        super().__init__(ALWAYS_ON)
        self.paths: list[Any] = []

    def should_sample(self, *given: Any, **named: Any) -> SamplingResult:
        self.paths.append((named.get("attributes") or given[4])["url.path"])
        return SamplingResult(Decision.DROP)


class Started:
    """A provider, and how often its tracer was asked for a span."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, sampler: Sampler, **more: Any) -> None:
        self.exporter = InMemorySpanExporter()
        more.setdefault("id_generator", RandomIdGenerator())
        self.provider = TracerProvider(sampler, shutdown_on_exit=False, **more)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("requests", "1", schema_url="https://schema")
        self.rules = Rules(StabilityMode.HTTP)
        self.asked = 0
        start = Tracer.start_span

        def start_span(tracer: Any, *args: Any, **kwargs: Any) -> Any:
            self.asked += tracer is self.tracer
            return start(tracer, *args, **kwargs)

        monkeypatch.setattr(Tracer, "start_span", start_span)

    def quick(self, around: Context, request: HttpRequest | None = None) -> Any:
        return starter(self.tracer, self.rules)(around, SpanKind.SERVER, request or get())

    def slow(self, around: Context) -> Any:
        return self.tracer.start_span("GET", around, SpanKind.SERVER, self.rules.at_beginning(get()))


def get() -> HttpRequest:
    return RequestFactory().get("/items/?page=2", headers={"User-Agent": "tests", "Host": "testserver"})


def below(flags: int | None, trace_id: int = LOW, *, remote: bool = True) -> Context:
    if flags is None:
        return Context()
    parent = SpanContext(trace_id, 5, is_remote=remote, trace_flags=TraceFlags(flags), trace_state=STATE)
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())


def told(span: Any) -> Any:
    if not span.is_recording():
        return None
    shown = json.loads(span.to_json())
    assert shown.pop("start_time")
    return shown


class TestQuick:
    @pytest.mark.parametrize("name", SAMPLERS)
    @pytest.mark.parametrize("flags", [None, 0, 1, 2, 3])
    @pytest.mark.parametrize("remote", [True, False])
    @pytest.mark.parametrize("trace_id", [LOW, HIGH])
    def test_gives_the_sdks_span(
        self, monkeypatch: pytest.MonkeyPatch, name: str, flags: int | None, trace_id: int, *, remote: bool
    ) -> None:
        around = below(flags, trace_id, remote=remote)
        for random in (True, False):
            one = Started(monkeypatch, SAMPLERS[name], id_generator=Counted(trace_id, random=random))
            quick = one.quick(around)
            assert 0 == one.asked
            other = Started(monkeypatch, SAMPLERS[name], id_generator=Counted(trace_id, random=random))
            slow = other.slow(around)
            assert slow.get_span_context() == quick.get_span_context()
            assert slow.get_span_context().trace_state == quick.get_span_context().trace_state
            assert told(slow) == told(quick)
            assert type(slow) is type(quick)

    def test_a_sampled_one_is_whole_when_it_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started = Started(monkeypatch, DEFAULT_ON)
        span = started.quick(Context())
        span.set_attribute("http.route", "items/")
        span.add_event("happened")
        span.end()
        (exported,) = started.exporter.get_finished_spans()
        kept = dict(exported.attributes or {})
        assert ("items/", "/items/", "page=2") == (kept["http.route"], kept["url.path"], kept["url.query"])
        assert (["happened"], SpanKind.SERVER) == ([event.name for event in exported.events], exported.kind)

    def test_of_a_forked_child_has_the_childs_resource(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started = Started(monkeypatch, ALWAYS_ON)
        start = starter(started.tracer, started.rules)
        if not (child := os.fork()):
            quick, slow = start(Context(), SpanKind.SERVER, get()), started.slow(Context())
            os._exit(vars(quick)["_resource"] is not vars(slow)["_resource"])
        assert 0 == os.waitpid(child, 0)[1]

    def test_one_that_is_not_has_an_id_that_others_decide_by(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started = Started(monkeypatch, ParentBasedTraceIdRatio(0.5), id_generator=Counted(HIGH, random=True))
        carrier: dict[str, str] = {}
        propagate.inject(carrier, trace.set_span_in_context(started.quick(Context())))
        assert f"00-{HIGH:032x}-0000000000000002-02" == carrier["traceparent"]

    def test_counts_in_the_sdks_own_metrics(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")

        def counted(way: str) -> list[Any]:
            reader = InMemoryMetricReader()
            provider = MeterProvider([reader], shutdown_on_exit=False)
            started = Started(monkeypatch, ParentBased(HALF), meter_provider=provider)
            for flags in (0, 1):
                getattr(started, way)(below(flags))
            data: Any = reader.get_metrics_data()
            points = [
                (metric.name, sorted(point.attributes.items()), point.value)
                for metric in data.resource_metrics[0].scope_metrics[0].metrics
                for point in metric.data.data_points
            ]
            provider.shutdown()
            return points

        assert counted("slow") == counted("quick") != []


class TestServer:
    @pytest.mark.parametrize("digits", [6, 20, 5000])
    def test_a_host_with_more_digits_than_a_port_has_costs_neither_span_nor_export(self, digits: int) -> None:
        """5,000 digits are too many for `int`, and 20 for OTLP's."""
        host = "testserver:" + "9" * digits
        found = Rules(StabilityMode.HTTP).at_beginning(RequestFactory().get("/", headers={"Host": host}))
        assert 80 == found["server.port"]


class TestOtherwise:
    def test_a_sampler_of_the_applications_own_is_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sampler = Asked()
        started = Started(monkeypatch, sampler)
        assert not started.quick(Context()).is_recording()
        assert (1, ["/items/"]) == (started.asked, sampler.paths)

    def test_one_for_roots_alone_is_asked_for_those(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sampler = Asked()
        started = Started(monkeypatch, ParentBased(sampler))
        for around in (Context(), below(0), below(1)):
            started.quick(around)
        assert (1, ["/items/"]) == (started.asked, sampler.paths)

    @pytest.mark.parametrize("limits", [{"max_span_attributes": 1}, {"max_span_attribute_length": 3}])
    def test_the_sdk_is_asked_where_it_has_limits(
        self, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int]
    ) -> None:
        started = Started(monkeypatch, ALWAYS_ON, span_limits=SpanLimits(**limits))
        started.quick(Context())
        assert 1 == started.asked

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("OTEL_PYTHON_DJANGO_TRACED_REQUEST_ATTRS", "path_info"),
            ("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST", "accept"),
        ],
    )
    def test_it_is_where_attributes_may_be_anything(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
    ) -> None:
        monkeypatch.setenv(variable, value)
        started = Started(monkeypatch, ALWAYS_ON)
        started.quick(Context())
        assert 1 == started.asked

    def test_it_is_where_its_spans_are_not_as_they_are_known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started = Started(monkeypatch, ALWAYS_ON)
        kind = type(started.slow(Context()))
        init = kind.__init__

        def another(self: Any, *args: Any, **kwargs: Any) -> None:
            init(self, *args, **kwargs)
            self._new_in_the_next_version = 1

        monkeypatch.setattr(kind, "__init__", another)
        assert started.quick(Context()).is_recording()
        assert 2 == started.asked
