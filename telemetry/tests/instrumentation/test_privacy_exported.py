"""Nothing private leaves in anybody's spans."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, StatusCode, TraceFlags, TraceState

from telemetry.instrumentation import privacy
from telemetry.instrumentation.privacy import REDACTED
from telemetry.sdk.cleaning import CleaningExporter

pytestmark = pytest.mark.usefixtures("only_what_is_built_in")


class TestCleaningExporter:
    def test_lets_nothing_private_of_other_peoples_spans_out(self) -> None:
        kept, gone = InMemorySpanExporter(), InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(kept))
        provider.add_span_processor(SimpleSpanProcessor(CleaningExporter(gone, privacy, unexpected)))
        tracer = provider.get_tracer("somebody")
        with (
            pytest.raises(ValueError, match="s3cret"),
            tracer.start_as_current_span("to jane@example.org", attributes={"db.statement": "SELECT 's3cret'"}) as span,
        ):
            span.add_event("mail to jane@example.org", {"to": "jane@example.org"})
            raise ValueError("s3cret\nDETAIL:  Key (name)=(s3cret)")
        (before,), (after,) = kept.get_finished_spans(), gone.get_finished_spans()
        assert {"s3cret", "jane"} == set(re.findall("s3cret|jane", before.to_json()))
        assert [] == re.findall("s3cret|jane", after.to_json())
        left, right = json.loads(before.to_json()), json.loads(after.to_json())
        same = ("context", "kind", "parent_id", "start_time", "end_time", "links", "resource")
        assert {name: left[name] for name in same} == {name: right[name] for name in same}
        assert ["mail to " + REDACTED, "exception"] == [event.name for event in after.events]
        assert ("ERROR", "ValueError") == (after.status.status_code.name, after.status.description)
        assert (before.instrumentation_scope, before.dropped_attributes) == (
            after.instrumentation_scope,
            after.dropped_attributes,
        )

    def test_describes_an_error_by_the_last_exception_that_was_recorded(self) -> None:
        gone = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(CleaningExporter(gone, privacy, unexpected)))
        with provider.get_tracer("somebody").start_as_current_span("work") as span:
            span.record_exception(KeyError("s3cret"))
            span.record_exception(ValueError("s3cret"))
            span.add_event("ended", {"exception.type": "no"})
            span.set_status(StatusCode.ERROR, "Jane Roe was not found")
        assert ["ValueError"] == [span.status.description for span in gone.get_finished_spans()]

    @pytest.mark.parametrize(
        ("name", "found", "shown"),
        [
            ("VALUES('s3cret')", {"db.system": "postgresql"}, "VALUES(?)"),
            ("SELECT'x's3cret", {"db.system.name": "mysql"}, "SELECT?s3cret"),
            ("shop-2", {"db.system.name": "postgresql", "db.namespace": "shop-2"}, "shop-2"),
            ("GET 'x' 7", {}, "GET 'x' 7"),
            ("GET https://h/?token=s3cret", {}, f"GET https://h/?token={REDACTED}"),
        ],
    )
    def test_names_a_query_as_its_statement_is_shown(self, name: str, found: dict[str, Any], shown: str) -> None:
        gone = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(CleaningExporter(gone, privacy, unexpected)))
        provider.get_tracer("somebody").start_span(name, attributes=found).end()
        assert [shown] == [span.name for span in gone.get_finished_spans()]

    def test_lets_no_private_trace_state_out(self) -> None:
        gone = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(CleaningExporter(gone, privacy, unexpected)))
        state = TraceState([("a", "jane@example.org"), ("ot", "th:8")])
        sender = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
        parent = trace.set_span_in_context(trace.NonRecordingSpan(sender))
        provider.get_tracer("somebody").start_span("work", parent, links=[Link(sender)]).end()
        (span,) = gone.get_finished_spans()
        assert ([("ot", "th:8")], 1, 1) == (
            list(span.context.trace_state.items()),
            span.context.trace_id,
            span.context.trace_flags,
        )
        assert [[("ot", "th:8")]] == [list(link.context.trace_state.items()) for link in span.links]

    def test_keeps_a_span_in_that_it_cannot_clean(self) -> None:
        class Broken:
            masked = staticmethod(privacy.masked)
            name = staticmethod(privacy.name)
            description = staticmethod(privacy.description)

            def attributes(self, found: Any) -> dict[str, Any]:
                if "bad" in found:
                    raise RuntimeError("broken")
                return dict(found)

        told: list[str] = []
        gone = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        exporter = CleaningExporter(gone, Broken(), lambda where, error: told.append(f"{where}: {error}"))
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        for name in ("bad", "good"):
            provider.get_tracer("somebody").start_span(name, attributes={name: 1}).end()
        assert (["good"], ["spans.clean: broken"]) == ([span.name for span in gone.get_finished_spans()], told)


def unexpected(where: str, error: BaseException) -> None:
    raise AssertionError(where) from error
