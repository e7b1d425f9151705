"""Spans of queries on SQLite: against the stock instrumentor, and where there are to be none."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor as Stock
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    ParentBasedTraceIdRatio,
    Sampler,
    SamplingResult,
)

from telemetry.instrumentation import drivers, privacy
from telemetry.instrumentation.drivers._sampling import answers
from telemetry.tests.instrumentation.query_spans import (
    BOTH,
    STABLE,
    Traces,
    as_meant,
    both,
    conventions,
    instrumented,
    shown,
)

PLACES = sys.version_info < (3, 12)
"""`sqlite3.connect` takes all its arguments by position."""


def ours() -> Any:
    return drivers.instrumentor("sqlite3")


class Cursor(sqlite3.Cursor):
    """A cursor class as applications have them."""

    def execute(self, sql: str, *parameters: Any) -> Any:
        self.asked = sql
        return super().execute(sql, *parameters)


class Connection(sqlite3.Connection):
    """A connection class as applications have them."""

    def cursor(self, factory: Any = Cursor) -> Any:
        return super().cursor(factory)


def work() -> None:
    connection = sqlite3.connect(":memory:")
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE number (value integer UNIQUE)")
    cursor.execute("  /* why */ insert into number values (?)", (1,))
    cursor.execute("/* why */ select value from number")
    assert [(1,)] == cursor.fetchall()
    cursor.executemany("INSERT INTO number VALUES (?)", iter([(2,), (3,)]))
    for statement in ("INSERT INTO number VALUES (?)", "SELECT * FROM nowhere WHERE value = ?"):
        with pytest.raises(sqlite3.Error):
            cursor.execute(statement, (1,))
    cursor.execute("")
    connection.execute("SELECT value FROM number")
    connection.executemany("DELETE FROM number WHERE value = ?", [(2,)])
    connection.executescript("SELECT 1; SELECT 2")
    with connection:
        assert (1,) == connection.cursor(factory=Cursor).execute("SELECT min(value) FROM number").fetchone()
    connection.close()


@pytest.fixture
def traces() -> Iterator[Traces]:
    with instrumented(ours(), Traces()) as traces:
        yield traces


class TestAgainstStock:
    @pytest.mark.parametrize("opt_in", [STABLE, BOTH])
    def test_the_spans_are_the_stock_ones_but_for_what_is_meant(self, opt_in: str) -> None:
        with conventions(opt_in):
            stock, mine = both(Stock(), ours(), work)
        expected = [as_meant(each) for each in stock]
        assert "/*" == expected[1]["name"]
        expected[1] = as_meant(stock[1], "insert into number values (?)", "insert")
        expected[2] = as_meant(stock[2], "select value from number")
        assert expected == mine
        assert 8 == len(mine)

    def test_both_conventions_are_told_where_that_is_asked_for(self) -> None:
        with conventions(BOTH), instrumented(ours(), Traces()) as traces:
            sqlite3.connect(":memory:").cursor().execute("SELECT 1")
        (span,) = traces.spans
        assert ("SELECT ?", "SELECT ?", "sqlite", "sqlite") == tuple(
            (span.attributes or {})[name] for name in ("db.query.text", "db.statement", "db.system.name", "db.system")
        )


class Asked(Sampler):
    """A sampler of an application, that keeps what it was asked."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.names: list[str] = []

    def should_sample(self, parent_context: Any, trace_id: int, name: str, *args: Any, **kwargs: Any) -> SamplingResult:
        self.names.append(name)
        return SamplingResult(self.decision)

    def get_description(self) -> str:
        return "Asked"


class TestSampling:
    def ask(self, traces: Traces) -> list[str]:
        """The spans of a query below a parent that is not sampled."""
        with instrumented(ours(), traces):
            cursor = sqlite3.connect(":memory:").cursor()
            context = trace.SpanContext(1, 2, is_remote=False)
            with trace.use_span(trace.NonRecordingSpan(context)):
                cursor.execute("SELECT 1")
        return traces.names

    def made(self, traces: Traces, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The names of the span objects that are made of a query below a parent that is not sampled."""
        made: list[str] = []
        kind: Any = type(traces.tracer)
        start = kind.start_span

        def start_span(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
            made.append(name)
            return start(self, name, *args, **kwargs)

        monkeypatch.setattr(kind, "start_span", start_span)
        self.ask(traces)
        return made

    @pytest.mark.parametrize("sampler", [ParentBased(ALWAYS_ON), ParentBasedTraceIdRatio(1.0), ALWAYS_OFF])
    def test_no_span_is_made_where_the_sdks_own_sampler_would_drop_it(
        self, sampler: Sampler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert [] == self.made(Traces(sampler), monkeypatch)

    @pytest.mark.parametrize(("sampler", "own"), [(ALWAYS_OFF, True), (ParentBased(ALWAYS_OFF), False)])
    def test_cursors_are_the_drivers_own_where_every_span_would_be_dropped(self, sampler: Sampler, own: bool) -> None:
        with instrumented(ours(), Traces(sampler)):
            assert own == (type(sqlite3.connect(":memory:").cursor()) is sqlite3.Cursor)

    @pytest.mark.parametrize("decision", [Decision.DROP, Decision.RECORD_AND_SAMPLE])
    def test_any_other_sampler_is_asked(self, decision: Decision) -> None:
        plain, configured = Asked(decision), Asked(decision)
        wanted = ["SELECT"] if decision is Decision.RECORD_AND_SAMPLE else []
        assert wanted == self.ask(Traces(plain))
        assert wanted == self.ask(Traces(ParentBased(ALWAYS_ON, local_parent_not_sampled=configured)))
        assert (["SELECT"], ["SELECT"]) == (plain.names, configured.names)

    def test_a_subclass_of_the_sdks_sampler_is_another_sampler(self) -> None:
        class Mine(ParentBased):
            pass

        assert (False, False) == answers(Mine(ALWAYS_ON))
        assert (False, True) == answers(ParentBased(ALWAYS_ON))
        assert (False, False) == answers(ALWAYS_ON)
        assert (False, False) == answers(None)

    def test_below_a_remote_parent_that_is_sampled_there_is_a_span(self, traces: Traces) -> None:
        cursor = sqlite3.connect(":memory:").cursor()
        parent = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(1))
        with trace.use_span(trace.NonRecordingSpan(parent)):
            cursor.execute("SELECT 1")
        (span,) = traces.spans
        assert parent == span.parent

    def test_a_query_without_a_parent_begins_a_trace(self, traces: Traces) -> None:
        sqlite3.connect(":memory:").cursor().execute("SELECT 1")
        assert [None] == [span.parent for span in traces.spans]

    def test_there_is_none_where_instrumentation_is_suppressed(self, traces: Traces) -> None:
        with suppress_instrumentation():
            sqlite3.connect(":memory:").cursor().execute("SELECT 1")
        assert [] == traces.names


class TestCursor:
    def test_is_of_the_class_it_would_be_of(self, traces: Traces) -> None:
        connection = sqlite3.connect(":memory:")
        cursor = connection.cursor(Cursor)
        assert isinstance(connection, sqlite3.Connection)
        assert isinstance(cursor, Cursor)
        assert cursor is cursor.execute("SELECT 1")
        assert "SELECT 1" == cursor.asked
        assert ["SELECT"] == traces.names

    def test_of_a_connection_class_of_ones_own(self, traces: Traces) -> None:
        connect: Any = sqlite3.connect
        connections = [connect(":memory:", factory=Connection)]
        if PLACES:
            connections.append(connect(":memory:", 5.0, 0, "", True, Connection))
        for connection in connections:
            assert isinstance(connection, Connection)
            connection.cursor().execute("SELECT 1")
        assert ["SELECT"] * len(connections) == traces.names

    def test_of_a_factory_that_is_no_class_is_left_alone(self, traces: Traces) -> None:
        connect: Any = sqlite3.connect
        connection = connect(":memory:", factory=lambda *args, **kwargs: Connection(*args, **kwargs))
        assert Connection is type(connection)
        assert (1,) == connection.cursor().execute("SELECT 1").fetchone()
        assert [] == traces.names

    def test_its_span_is_the_current_one_meanwhile(self, traces: Traces) -> None:
        connection, found = sqlite3.connect(":memory:"), []
        connection.create_function("here", 0, lambda: found.append(trace.get_current_span()))
        connection.cursor().execute("SELECT here()")
        assert [traces.spans[0].context.span_id] == [span.get_span_context().span_id for span in found]
        assert trace.INVALID_SPAN is trace.get_current_span()

    def test_of_a_connection_that_is_instrumented_by_itself(self) -> None:
        traces, instrumentor = Traces(), ours()
        bare = sqlite3.connect(":memory:")
        connection = instrumentor.instrument_connection(bare, tracer_provider=traces.provider)
        assert connection is instrumentor.instrument_connection(connection)
        connection.cursor().execute("SELECT 1")
        assert ["SELECT"] == traces.names
        assert bare is instrumentor.uninstrument_connection(connection)


class TestInstrumentor:
    def test_is_in_from_instrument_to_uninstrument(self) -> None:
        instrumentor, connect = ours(), sqlite3.connect
        with instrumented(instrumentor, Traces()):
            assert instrumentor.is_instrumented_by_opentelemetry
            assert instrumentor is ours()
            assert not Stock().is_instrumented_by_opentelemetry
        assert not instrumentor.is_instrumented_by_opentelemetry
        assert connect is sqlite3.connect


class TestFailure:
    def test_loses_the_span_and_no_query(self) -> None:
        class Broken(Asked):
            def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
                raise RuntimeError("broken sampler")

        failures: list[str] = []
        traces = Traces(Broken(Decision.DROP))
        with instrumented(ours(), traces, failed=lambda where, error: failures.append(f"{where}: {error}")):
            cursor = sqlite3.connect(":memory:").cursor()
            assert (1,) == cursor.execute("SELECT 1").fetchone()
            with pytest.raises(sqlite3.OperationalError):
                cursor.execute("SELECT * FROM nowhere")
        assert ["spans.query: broken sampler"] * 2 == failures
        assert [] == traces.names
        assert trace.INVALID_SPAN is trace.get_current_span()


class TestPrivacy:
    def test_no_literal_and_no_message_is_in_the_span(self, traces: Traces) -> None:
        with pytest.raises(sqlite3.OperationalError, match="s3cret"):
            sqlite3.connect(":memory:").cursor().execute(
                "SELECT 's3cret' FROM \"s3cret\" WHERE x = 's3cret' LIMIT 4711"
            )
        (span,) = traces.spans
        told = repr(shown(span, traces.spans))
        assert "OperationalError" in told
        assert "SELECT ? FROM" in told
        assert "'s3cret'" not in told
        assert "4711" not in told

    @pytest.mark.parametrize(
        ("statement", "name"),
        [
            ("VALUES('s3cret')", "VALUES"),
            ("SELECT's3cret'", "SELECT"),
            ("select/*s3cret*/1", "select"),
            ("SELECT+4711", "SELECT"),
            ("--s3cret\nSELECT 1", "SELECT"),
            ("(( SELECT 's3cret'", "SELECT"),
            ("'s3cret'", "sqlite"),
            ('"s3cret"', "sqlite"),
            ("$$s3cret$$", "sqlite"),
            ("4711", "sqlite"),
            ("--s3cret", "sqlite"),
            ("s3cret", "sqlite"),
        ],
    )
    def test_the_name_is_the_statements_first_word_or_else_the_databases(
        self, traces: Traces, statement: str, name: str
    ) -> None:
        with contextlib.suppress(sqlite3.Error):
            sqlite3.connect(":memory:").cursor().execute(statement)
        (span,) = traces.spans
        assert (name, None if name == "sqlite" else name) == (
            span.name,
            (span.attributes or {}).get("db.operation.name"),
        )

    def test_the_rules_are_those_of_the_moment(self, traces: Traces) -> None:
        cursor = sqlite3.connect(":memory:").cursor()
        try:
            for patterns in ([], [re.compile("planted")]):
                privacy.configure(patterns=patterns)
                cursor.execute("SELECT 1 AS planted")
        finally:
            privacy.configure()
        assert ["SELECT ? AS planted", "SELECT ? AS REDACTED"] == [
            (span.attributes or {})["db.query.text"] for span in traces.spans
        ]
