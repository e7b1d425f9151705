"""The private way to the current context is the public one's, or is not taken."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import context as api
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanContext,
    TraceFlags,
    get_current_span,
    use_span,
)

from telemetry.instrumentation import _current


def span(sampler: Sampler) -> Span:
    return TracerProvider(sampler=sampler).get_tracer("test").start_span("one")


class TestContext:
    def test_is_not_asked_for_by_functions(self) -> None:
        """Else the private name has moved, and this is to be written anew."""
        runtime: Any = api._RUNTIME_CONTEXT
        assert runtime._current_context.get == _current.context

    def test_is_the_current_one(self) -> None:
        with use_span(span(ALWAYS_ON)):
            assert api.get_current() is _current.context()
            assert get_current_span() is _current.context()[_current.SPAN_KEY]

    def test_of_another_runtime_is_asked_for_in_public(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(api, "_RUNTIME_CONTEXT", object())
        assert api.get_current is _current._getter()


class TestSampled:
    def test_is_a_sampled_spans_context(self) -> None:
        remote = NonRecordingSpan(SpanContext(1, 2, True, TraceFlags(1)))
        for each in (span(ALWAYS_ON), remote):
            with use_span(each):
                assert each.get_span_context() is _current.sampled()
        for each in (span(ALWAYS_OFF), INVALID_SPAN):
            with use_span(each):
                assert _current.sampled() is None
        assert _current.sampled() is None
