"""Five small queries on one connection, within a span where there are spans, as those of a request are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from opentelemetry import trace

from telemetry.benchmarks import contenders
from telemetry.benchmarks.scene import Budget, Outcome, Scene, timed
from telemetry.tests.postgres.driver import DRIVERS, choose
from telemetry.tests.postgres.server import Unavailable, postgres

_TIMES, _QUERIES = 300, 5


def _sqlite(contender: str) -> Outcome:
    return _run(contender, contenders.set_up(contender))


def _postgres(driver: str, contender: str) -> Outcome:
    """On a server of its own; what the server computes is not the price."""
    choose(driver)
    with postgres() as server:
        database = {
            "NAME": "postgres",
            "USER": "postgres",
            "PASSWORD": server.password,
            "HOST": "127.0.0.1",
            "PORT": server.port,
        }
        spans = contenders.set_up(contender, engine="django.db.backends.postgresql", database=database)
        try:
            return _run(contender, spans)
        finally:
            from django.db import connection

            connection.close()


def _run(contender: str, spans: contenders.Spans | None) -> Outcome:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE number (value integer)")
    # A new connection may have asked for something already.
    traced, counted = spans.count() if spans is not None else 0, _counted(contender)
    with trace.get_tracer(__name__).start_as_current_span("request"):
        price, calls = _price(connection.cursor)
    if contender.endswith("100 %"):
        assert spans is not None
        assert spans.count() - traced == calls + 1, "a span a query, and the one around them"
    return Outcome(price, {"queries": calls if counted is None else (_counted(contender) or 0) - counted})


def _counted(contender: str) -> float | None:
    """The contender's own counter of queries, where it has one; the stock instrumentors count by spans alone."""
    if contender in (contenders.BARE, *contenders.STOCK.values(), contenders.OURS_DISABLED):
        return None
    return contenders.counted(contender, {"ours": "django_db_execute_total", "theirs": "django_db_execute_total"})


def _needs_postgres() -> str:
    try:
        with postgres():
            return ""
    except Unavailable as error:
        return str(error)


def _price(make_cursor: Callable[[], object]) -> tuple[float, int]:
    """Microseconds a query, and how many there were."""
    calls = 0

    def ask(cursor: object) -> None:
        nonlocal calls
        for number in range(_QUERIES):
            cursor.execute("SELECT value FROM number WHERE value = %s", [number])  # type: ignore[attr-defined]
            cursor.fetchall()  # type: ignore[attr-defined]
        calls += _QUERIES

    with make_cursor() as cursor:  # type: ignore[attr-defined]
        price = timed(partial(ask, cursor), times=_TIMES)
    return price / _QUERIES * 1e6, calls


_CONTENDERS = (
    contenders.BARE,
    contenders.THEIRS,
    contenders.STOCK[0.0],
    contenders.STOCK[1.0],
    contenders.OURS,
    contenders.OURS_TRACED[0.0],
    contenders.OURS_TRACED[1.0],
)
_BUDGETS = (
    Budget(contenders.OURS, contenders.THEIRS, 0.25, 0.15),
    Budget(contenders.OURS_TRACED[1.0], contenders.STOCK[1.0], 0.50, 0.35),
    Budget(contenders.OURS_TRACED[0.0], contenders.STOCK[0.0], 0.10, 0.05),
)
SCENES = (
    Scene(
        name="query-sqlite",
        title="A query of one row on SQLite",
        unit="µs",
        contenders=_CONTENDERS,
        run=_sqlite,
        budgets=_BUDGETS,
    ),
    *(
        Scene(
            name=f"query-{driver}",
            title=f"A query of one row on PostgreSQL, {driver}",
            unit="µs",
            contenders=_CONTENDERS,
            run=partial(_postgres, driver),
            budgets=_BUDGETS,
            rounds=15,
            needs=_needs_postgres,
        )
        for driver in DRIVERS
    ),
)
