"""What watching adds to a small query, within a span where there are spans, as those of a request are.

A query's own price differs from process to process, on PostgreSQL by more than what watching it costs. So each
process has two connections, one that nobody watches and one that the contender does, and they take turns: what is
told is the difference. The bare contender watches neither, and shows how far from 0 that may be.
"""

from __future__ import annotations

import gc
import os
import statistics
from functools import partial
from time import process_time, thread_time
from typing import Any

from opentelemetry import trace

from telemetry.benchmarks import contenders
from telemetry.benchmarks.scene import Budget, Outcome, Scene
from telemetry.tests.postgres.driver import DRIVERS, choose
from telemetry.tests.postgres.server import Unavailable, postgres

_TURNS, _QUERIES, _WARM = 150, 100, 10
"""Of each connection, and queries in each turn: a few milliseconds, which no disturbance outlasts unseen by both.
The first turns are not measured."""


def _sqlite(contender: str) -> Outcome:
    return _run(contender, "django.db.backends.sqlite3", {"NAME": ":memory:"})


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
        return _run(contender, "django.db.backends.postgresql", database)


def _run(contender: str, engine: str, database: dict[str, Any]) -> Outcome:
    unwatched: list[Any] = []

    def connect() -> None:
        unwatched.append(_unwatched(engine, database))

    spans = contenders.set_up(contender, engine=engine, database=database, unwatched=connect)
    from django.db import connection

    if contender.startswith("ours"):
        from telemetry import runtime

        runtime.get().watching.db.leave(unwatched[0].db)
    watched = connection.cursor()
    for cursor in (watched, *unwatched):
        cursor.execute("CREATE TEMPORARY TABLE number (value integer)")
    _on_one_processor(*(cursor for cursor in (watched, *unwatched) if cursor.db.vendor == "postgresql"))
    # A new connection may have asked for something already.
    traced, counted = spans.count() if spans is not None else 0, _counted(contender)
    with trace.get_tracer(__name__).start_as_current_span("request"):
        price, calls = _price(watched, unwatched[0], spans)
    if contender.endswith("100 %"):
        assert spans is not None
        assert spans.count() - traced == calls + 1, "a span a query, and the one around them"
    facts = {"queries": calls if counted is None else (_counted(contender) or 0) - counted}
    for cursor in (watched, *unwatched):
        cursor.db.close()
    return Outcome(price, facts)


def _on_one_processor(*cursors: Any) -> None:
    """Let this process and the servers of these connections share a processor, where the system can do that.

    To wake a server on another one costs the client 30 µs: of two connections one was dearer by that, by chance.
    """
    if not cursors or not hasattr(os, "sched_setaffinity"):
        return
    one = {min(os.sched_getaffinity(0))}
    os.sched_setaffinity(0, one)
    for cursor in cursors:
        cursor.execute("SELECT pg_backend_pid()")
        os.sched_setaffinity(cursor.fetchone()[0], one)


def _unwatched(engine: str, database: dict[str, Any]) -> Any:
    """A cursor of Django's classes as they are now, whatever will be done to them, on a connection of its own."""
    from django.db import connections
    from django.db.backends.utils import CursorWrapper

    db = connections.create_connection("default")
    if type(db).__module__ != f"{engine}.base":
        from django.db.utils import load_backend

        db = load_backend(engine).DatabaseWrapper(db.settings_dict, "default")
    inner = db.cursor().cursor
    own = {name: value for name, value in vars(CursorWrapper).items() if name not in ("__dict__", "__weakref__")}
    return type("Unwatched", (), own)(inner, db)


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


def _price(watched: Any, unwatched: Any, spans: contenders.Spans | None) -> tuple[float, int]:
    """Microseconds that are added to a query, and how many of the watched ones there were.

    The median of the differences between turns, and on top what the contender's other threads have computed.
    """

    def turn(cursor: Any) -> float:
        start = thread_time()
        for number in range(_QUERIES):
            cursor.execute("SELECT value FROM number WHERE value = %s", [number])
            cursor.fetchall()
        return thread_time() - start

    def both(first: bool) -> float:
        if first:
            return turn(watched) - turn(unwatched)
        return -turn(unwatched) + turn(watched)

    for number in range(_WARM):
        both(number % 2 == 0)
    gc.collect()
    process, mine = process_time(), thread_time()
    added = [both(number % 2 == 0) for number in range(_TURNS)]
    mine = thread_time() - mine
    if spans is not None:
        spans.count()  # what waits to be exported is computed now
    others = process_time() - process - mine
    return (statistics.median(added) + others / _TURNS) / _QUERIES * 1e6, (_WARM + _TURNS) * _QUERIES


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
        title="Added to a query of one row on SQLite",
        unit="µs",
        contenders=_CONTENDERS,
        run=_sqlite,
        seconds=1.0,
        budgets=_BUDGETS,
        whole=True,
    ),
    *(
        Scene(
            name=f"query-{driver}",
            title=f"Added to a query of one row on PostgreSQL, {driver}",
            unit="µs",
            contenders=_CONTENDERS,
            run=partial(_postgres, driver),
            budgets=_BUDGETS,
            whole=True,
            seconds=3.0,
            needs=_needs_postgres,
        )
        for driver in DRIVERS
    ),
)
