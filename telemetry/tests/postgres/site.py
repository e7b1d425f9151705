"""A service with three databases, in two processes, for Django has one PostgreSQL driver a process.

`default` is SQLite, `psycopg2` and `pooled` are PostgreSQL with psycopg2 and with psycopg 3 and a pool. The
first process has psycopg 3, and the second, psycopg2, lives within its time; both work on SQLite.
Prints as JSON what telemetry counted over both, and what SQLite executed in both.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import django
from django.db import IntegrityError, connections, transaction

from telemetry.tests.postgres.driver import choose
from telemetry.tests.postgres.workload import counted, refused, schema, unwrapped

executed: list[str] = []
"""The statements that SQLite itself says it executes."""


def work(alias: str, who: str) -> None:
    from telemetry.tests.postgres.models import Item

    items, db = Item.objects.using(alias), connections[alias]
    items.create(name=f"{who}-one")
    kept = items.bulk_create([Item(name=f"{who}-{number}") for number in range(10)], batch_size=4)
    for item in kept:
        item.rank = 2
    items.bulk_update(kept, ["rank"], batch_size=5)
    items.get_or_create(name=f"{who}-1")
    items.filter(rank=2).update(rank=3)
    with transaction.atomic(using=alias):
        with transaction.atomic(using=alias):
            items.filter(rank=3).exists()
        with refused(IntegrityError), transaction.atomic(using=alias):
            items.create(name=f"{who}-one")
        assert 11 <= sum(1 for _ in items.iterator(chunk_size=4))
    assert 11 <= sum(1 for _ in items.iterator(chunk_size=4))
    with db.cursor() as cursor:
        cursor.execute("WITH one AS (SELECT 1) SELECT * FROM one")
        names: Any = ((f"{who}-{number}",) for number in range(3))
        cursor.executemany("DELETE FROM postgres_item WHERE name = %s", names)
    with db.execute_wrapper(twice), db.execute_wrapper(nothing_but_counts):
        assert items.count() == items.filter(rank__gte=0).count()
        with refused(PermissionError):
            items.update(rank=4)


def twice(execute: Callable[..., Any], *args: Any) -> Any:
    """The application's own wrapper, that executes everything once more."""
    execute(*args)
    return execute(*args)


def nothing_but_counts(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
    """The application's own wrapper, that lets only some statements through."""
    if "COUNT" not in sql:
        raise PermissionError(sql)
    return execute(sql, *args)


def main(driver: str) -> None:
    choose(driver)
    logging.disable()
    django.setup()
    sqlite = connections["default"]
    sqlite.ensure_connection()
    sqlite.connection.set_trace_callback(executed.append)
    statements = Counter[str]()
    if driver == "psycopg":
        schema("default")
        command = [sys.executable, "-W", "error", "-m", "telemetry.tests.postgres.site", "psycopg2"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        statements.update(json.loads(done.stdout)["sqlite"])
    work("default", driver)
    own = "pooled" if driver == "psycopg" else driver
    schema(own)
    work(own, driver)
    unwrapped(own)
    if driver == "psycopg":
        connections[own].close()
        connections[own].close_pool()  # type: ignore[attr-defined]
    statements.update(executed)
    json.dump({"counted": counted(), "sqlite": statements}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
