"""Five small queries on one connection."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from telemetry.benchmarks import contenders
from telemetry.benchmarks.scene import Budget, Outcome, Scene, timed

_TIMES, _QUERIES = 300, 5


def _run(contender: str) -> Outcome:
    spans = contenders.set_up(contender)
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE number (value integer)")
    price, calls = _price(connection.cursor)
    if contender in (contenders.BARE, contenders.OURS_DISABLED):
        return Outcome(price, {"queries": calls})
    if contender in contenders.STOCK.values():  # has no counter of queries: its spans are counted
        assert spans is not None
        if contender.endswith("100 %"):
            assert spans.count() == calls + 1, "a span a query"
        return Outcome(price, {"queries": calls})
    names = {"ours": "django_db_execute_total", "theirs": "django_db_execute_total"}
    return Outcome(price, {"queries": contenders.counted(contender, names) - 1})


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


SCENES = (
    Scene(
        name="query-sqlite",
        title="A query of one row on SQLite",
        unit="µs",
        contenders=(
            contenders.BARE,
            contenders.THEIRS,
            contenders.STOCK[0.0],
            contenders.STOCK[1.0],
            contenders.OURS,
            contenders.OURS_TRACED[0.0],
            contenders.OURS_TRACED[1.0],
        ),
        run=_run,
        budgets=(
            Budget(contenders.OURS, contenders.THEIRS, 0.25, 0.15),
            Budget(contenders.OURS_TRACED[1.0], contenders.STOCK[1.0], 0.50, 0.35),
            Budget(contenders.OURS_TRACED[0.0], contenders.STOCK[0.0], 0.10, 0.05),
        ),
    ),
)
