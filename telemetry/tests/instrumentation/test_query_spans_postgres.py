"""Spans of queries on PostgreSQL, with psycopg2 and psycopg 3: against the stock instrumentors, and beyond them."""

from __future__ import annotations

import asyncio
import importlib
import io
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from opentelemetry import trace
from opentelemetry.context import attach, detach, set_value
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.psycopg2 import Psycopg2Instrumentor
from psycopg import sql

from telemetry.instrumentation import drivers
from telemetry.instrumentation._in_place import step_aside
from telemetry.instrumentation.drivers._tracing import log_once
from telemetry.tests.instrumentation.query_spans import BOTH, STABLE, Traces, as_meant, both, conventions, instrumented
from telemetry.tests.postgres.server import Postgres, Unavailable, postgres

psycopg2: Any = importlib.import_module("psycopg2")
sql2: Any = importlib.import_module("psycopg2.sql")
extras: Any = importlib.import_module("psycopg2.extras")
STOCK: dict[str, Any] = {"psycopg": PsycopgInstrumentor, "psycopg2": Psycopg2Instrumentor}
OPT_INS = pytest.mark.parametrize("opt_in", [STABLE, BOTH])


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    try:
        with postgres() as server:
            yield server
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def dsn(server: Postgres) -> str:
    return server.url("postgres")


@pytest.fixture(params=["psycopg", "psycopg2"])
def driver(request: pytest.FixtureRequest) -> Any:
    return importlib.import_module(request.param)


def ours(driver: Any) -> Any:
    return drivers.instrumentor(driver.__name__)


def work(driver: Any, dsn: str) -> None:
    """What both drivers have, and the stock instrumentors trace."""
    connection = driver.connect(dsn)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE number (value integer UNIQUE)")
        cursor.executemany("insert into number values (%s)", [(1,), (2,)])
        cursor.execute("/* why */ SELECT value FROM number WHERE value < %(below)s", {"below": 2})
        assert [(1,)] == cursor.fetchall()
        cursor.execute(BYTES)
        composer = sql if driver is psycopg else sql2
        cursor.execute(composer.SQL("SELECT value FROM {}").format(composer.Identifier("number")))
        cursor.execute("SAVEPOINT here")
        with pytest.raises(driver.Error):
            cursor.execute("INSERT INTO number VALUES (%s)", (1,))
        cursor.execute("ROLLBACK TO SAVEPOINT here")
    with connection.cursor("named") as cursor:
        cursor.execute(NAMED)
        assert [(1,), (2,)] == cursor.fetchall()
    connection.close()
    with pytest.raises(driver.Error):
        connection.cursor().execute("SELECT value FROM number")


BYTES = b"SELECT value FROM number"
NAMED = "SELECT value AS named FROM number"
TEXT = "SELECT value FROM number WHERE value < %(below)s"


class TestAgainstStock:
    @OPT_INS
    def test_the_spans_are_the_stock_ones_but_for_what_is_meant(self, driver: Any, dsn: str, opt_in: str) -> None:
        with conventions(opt_in):
            stock, mine = both(STOCK[driver.__name__](), ours(driver), lambda: work(driver, dsn))
        expected = [
            as_meant(each, TEXT if "/*" in str(each["attributes"]["db.query.text"]) else None) for each in stock
        ]
        # A statement of bytes: the stock tracers find no first word in it, and psycopg2's tells the bytes.
        (nameless,) = (number for number, each in enumerate(stock) if each["name"] == "postgres")
        assert stock[nameless]["attributes"]["db.query.text"] in (BYTES, BYTES.decode())
        expected[nameless] = as_meant(stock[nameless], BYTES.decode(), "SELECT")
        if driver is psycopg:
            # The stock instrumentor traces no server-side cursors of psycopg 3.
            (named,) = (number for number, each in enumerate(mine) if each["attributes"]["db.query.text"] == NAMED)
            del mine[named]
        assert expected == mine
        assert len(mine) in (8, 9)

    @OPT_INS
    def test_so_are_those_of_async_connections(self, dsn: str, opt_in: str) -> None:
        async def ask() -> None:
            async with await psycopg.AsyncConnection.connect(dsn) as connection:
                cursor = connection.cursor()
                await cursor.execute("SELECT generate_series")
                await cursor.executemany("SET LOCAL work_mem = %s", [])

        def work() -> None:
            with pytest.raises(psycopg.Error):
                asyncio.run(ask())

        with conventions(opt_in):
            stock, mine = both(PsycopgInstrumentor(), ours(psycopg), work)
        assert [as_meant(each) for each in stock] == mine
        assert 1 == len(mine)

    def test_procedures_of_psycopg2(self, dsn: str) -> None:
        def work() -> None:
            psycopg2.connect(dsn).cursor().callproc("lower", ["private"])

        with conventions(STABLE):
            stock, mine = both(Psycopg2Instrumentor(), ours(psycopg2), work)
        assert [as_meant(each) for each in stock] == mine
        assert ["lower"] == [each["name"] for each in mine]


@pytest.fixture
def traces(driver: Any) -> Iterator[Traces]:
    with instrumented(ours(driver), Traces()) as traces:
        yield traces


@pytest.fixture
def traces3() -> Iterator[Traces]:
    with instrumented(ours(psycopg), Traces()) as traces:
        yield traces


@pytest.fixture
def traces2() -> Iterator[Traces]:
    with instrumented(ours(psycopg2), Traces()) as traces:
        yield traces


class TestCopy:
    def test_has_a_span_as_long_as_its_block(self, traces3: Traces, dsn: str) -> None:
        with psycopg.connect(dsn) as connection:
            cursor = connection.cursor()
            with cursor.copy("COPY (SELECT generate_series(1, 3)) TO STDOUT") as copy:
                assert [] == traces3.names
                assert trace.INVALID_SPAN is trace.get_current_span()
                assert 3 == len(list(copy))
            assert ["COPY"] == traces3.names
            with pytest.raises(psycopg.Error), cursor.copy("COPY nowhere TO STDOUT"):
                pass
        assert [trace.StatusCode.UNSET, trace.StatusCode.ERROR] == [span.status.status_code for span in traces3.spans]

    def test_of_an_async_connection(self, traces3: Traces, dsn: str) -> None:
        async def ask() -> int:
            async with (
                await psycopg.AsyncConnection.connect(dsn) as connection,
                connection.cursor().copy("COPY (SELECT generate_series(1, 3)) TO STDOUT") as copy,
            ):
                assert [] == traces3.names
                return len([row async for row in copy])

        assert 3 == asyncio.run(ask())
        assert ["COPY"] == traces3.names

    def test_of_psycopg2(self, traces2: Traces, dsn: str) -> None:
        connection = psycopg2.connect(dsn)
        cursor = connection.cursor()
        cursor.execute("CREATE TEMPORARY TABLE number (value integer)")
        cursor.copy_from(io.StringIO("1\n2\n"), "number")
        cursor.copy_to(io.StringIO(), "number")
        cursor.copy_expert("COPY number TO STDOUT", io.StringIO())
        connection.close()
        assert ["CREATE", "COPY", "COPY", "COPY"] == traces2.names
        assert "COPY number TO STDOUT" == (traces2.spans[-1].attributes or {})["db.query.text"]


class TestStream:
    def test_has_a_span_until_its_last_row(self, traces3: Traces, dsn: str) -> None:
        with psycopg.connect(dsn) as connection:
            rows = iter(connection.cursor().stream("SELECT generate_series(1, 2)"))
            assert ((1,), []) == (next(rows), traces3.names)
            assert ([(2,)], ["SELECT"]) == (list(rows), traces3.names)

    def test_ends_where_nobody_wants_another(self, traces3: Traces, dsn: str) -> None:
        with psycopg.connect(dsn) as connection:
            rows: Any = connection.cursor().stream("SELECT generate_series(1, 2)")
            next(rows)
            rows.close()
        assert [("SELECT", trace.StatusCode.UNSET)] == [(span.name, span.status.status_code) for span in traces3.spans]

    def test_of_an_async_connection(self, traces3: Traces, dsn: str) -> None:
        async def ask() -> list[Any]:
            async with await psycopg.AsyncConnection.connect(dsn) as connection:
                return [row async for row in connection.cursor().stream("SELECT generate_series(1, 2)")]

        assert [(1,), (2,)] == asyncio.run(ask())
        assert ["SELECT"] == traces3.names


class TestFactories:
    def test_those_of_psycopg2s_connection_classes_stay(self, traces2: Traces, dsn: str) -> None:
        connection = psycopg2.connect(dsn, connection_factory=extras.DictConnection)
        cursor = connection.cursor()
        cursor.execute("SELECT 1 AS one")
        assert isinstance(cursor, extras.DictCursor)
        assert 1 == cursor.fetchone()["one"]
        connection.close()
        assert ["SELECT"] == traces2.names

    def test_ones_own_stays(self, driver: Any, traces: Traces, dsn: str) -> None:
        base = psycopg.ClientCursor if driver is psycopg else psycopg2.extensions.cursor
        mine = type("Mine", (base,), {})
        connection = driver.connect(dsn, cursor_factory=mine)
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        assert isinstance(cursor, mine)
        connection.close()
        assert ["SELECT"] == traces.names

    def test_of_a_connection_that_is_instrumented_by_itself(self, driver: Any, dsn: str) -> None:
        traces, instrumentor = Traces(), ours(driver)
        connection = driver.connect(dsn)
        for _ in range(2):
            assert connection is instrumentor.instrument_connection(connection, tracer_provider=traces.provider)
        connection.cursor().execute("SELECT 1")
        instrumentor.uninstrument_connection(connection)
        connection.cursor().execute("SELECT 2")
        instrumentor.instrument_connection(connection, tracer_provider=traces.provider)
        connection.cursor().execute("SELECT 3")
        connection.close()
        assert ["SELECT", "SELECT"] == traces.names


class TestCommenter:
    def test_comments_what_is_executed_and_not_what_is_told(self, driver: Any, dsn: str) -> None:
        for told in (False, True):
            with instrumented(ours(driver), Traces(), enable_commenter=True, enable_attribute_commenter=told) as traces:
                connection = driver.connect(dsn)
                cursor = connection.cursor()
                cursor.execute("SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()")
                ((executed,),) = cursor.fetchall()
                connection.close()
            (span,) = traces.spans
            assert f"{span.context.trace_id:032x}-{span.context.span_id:016x}" in executed
            assert told == ("traceparent" in str((span.attributes or {})["db.query.text"]))

    def test_what_it_adds_to_the_attribute_is_masked(self, driver: Any, dsn: str) -> None:
        tags = {"user": "jane.roe@example.com", "page": "claims"}
        token = attach(set_value("SQLCOMMENTER_ORM_TAGS_AND_VALUES", tags))
        try:
            with instrumented(ours(driver), Traces(), enable_commenter=True, enable_attribute_commenter=True) as traces:
                connection = driver.connect(dsn)
                connection.cursor().execute("SELECT 1")
                connection.close()
        finally:
            detach(token)
        told = str((traces.spans[0].attributes or {})["db.query.text"])
        assert "page='claims'" in told
        assert "jane" not in told

    def test_is_taken_over_from_stock_with_its_options(self, driver: Any, dsn: str) -> None:
        stock, traces = STOCK[driver.__name__], Traces()
        settings = {"enable_commenter": True, "commenter_options": {"driver_paramstyle": False}}
        given: dict[str, Any] = {"enable_commenter": True, "commenter_options": {"db_driver": False}}
        for options in (given, {}):
            stock().instrument(**options)
            mine: Any = drivers.install(driver.__name__, traces.provider, log_once, settings)
            assert mine is stock() is not None
            connection = driver.connect(dsn)
            cursor = connection.cursor()
            cursor.execute("SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()")
            ((executed,),) = cursor.fetchall()
            connection.close()
            mine.uninstrument()
            step_aside(mine)
            left_out = "db_driver" if options else "driver_paramstyle"
            told = {name for name in ("db_driver", "driver_paramstyle", "traceparent") if f"{name}=" in executed}
            assert {"db_driver", "driver_paramstyle", "traceparent"} - {left_out} == told
        assert ["SELECT", "SELECT"] == traces.names
        assert mine is not stock()

    def test_stays_with_stock_that_has_a_provider_of_its_own(self, driver: Any) -> None:
        stock = STOCK[driver.__name__]
        with instrumented(stock(), Traces()):
            assert drivers.install(driver.__name__, Traces().provider, log_once, {}) is None
            assert drivers.stock_is_in(driver.__name__)

    def test_parameters_are_told_where_that_is_asked_for(self, driver: Any, dsn: str) -> None:
        with instrumented(ours(driver), Traces(), capture_parameters=True) as traces:
            connection = driver.connect(dsn)
            connection.cursor().execute("SELECT %s", ("asked for",))
            connection.close()
        assert "('asked for',)" == (traces.spans[0].attributes or {})["db.statement.parameters"]


class TestInstrumentor:
    HOLDERS = [(psycopg2, "connect"), (psycopg, "connect"), (psycopg.Connection, "connect")]

    def test_takes_everything_out(self) -> None:
        before = [getattr(*holder) for holder in self.HOLDERS]
        with instrumented(ours(psycopg), Traces()), instrumented(ours(psycopg2), Traces()):
            assert [True] * 3 == [hasattr(getattr(*holder), "__wrapped__") for holder in self.HOLDERS]
        assert before == [getattr(*holder) for holder in self.HOLDERS]
