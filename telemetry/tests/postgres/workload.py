"""Statements of every sort through Django, in a process of its own: prints what telemetry counted, as JSON.

`python -m telemetry.tests.postgres.workload psycopg|psycopg2 NAME`: `NAME` is a function of `WORKLOADS`.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import django
from django.db import DatabaseError, connections, transaction
from django.db.transaction import TransactionManagementError
from django.test import Client
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.metrics import MetricWrapperBase

from telemetry.samples import HistogramValue
from telemetry.tests.postgres.driver import choose

exporter = InMemorySpanExporter()


@contextmanager
def refused(kind: type[Exception] = DatabaseError) -> Iterator[None]:
    try:
        yield
    except kind:
        return
    raise AssertionError(f"no {kind.__name__} was raised")


def schema(alias: str) -> None:
    from telemetry.tests.postgres.models import Item

    with connections[alias].schema_editor() as editor:
        editor.create_model(Item)


def every_sort(alias: str) -> None:
    """What goes through Django's cursors."""
    from telemetry.tests.postgres.models import Item

    items, db = Item.objects.using(alias), connections[alias]
    for number in range(3):
        items.create(name=f"private-{number}")
    items.bulk_create((Item(name=f"bulk-{number}") for number in range(10)), batch_size=4)
    kept = list(items.order_by("pk"))
    for rank, item in enumerate(kept):
        item.rank = rank
    items.bulk_update(kept, ["rank"], batch_size=5)
    items.get_or_create(name="private-1")
    items.update_or_create(name="new", defaults={"rank": 4})
    items.filter(rank__gt=3).exists()
    items.filter(name="private-2").update(rank=9)
    items.filter(name="bulk-9").delete()
    kept[0].delete()
    items.filter(rank=2).explain()

    with transaction.atomic(using=alias):
        items.select_for_update().get(name="private-1")
        with transaction.atomic(using=alias):
            items.update(rank=1)
        with refused(), transaction.atomic(using=alias):
            items.create(name="private-1")
        list(items.all())
    with refused(), transaction.atomic(using=alias):
        with refused():
            items.create(name="private-1")
        with refused(TransactionManagementError):
            items.count()
        raise DatabaseError

    with db.cursor() as cursor:
        cursor.execute("  -- why\n WITH one AS (SELECT %s::int AS v) SELECT v FROM one", [1])
        cursor.execute("/* also */ (SELECT 1) UNION (SELECT 2)")
        cursor.execute("SHOW server_version")
        cursor.execute("VALUES (1), (2)")
        cursor.execute("CREATE INDEX by_rank ON postgres_item (rank)")
        with refused():
            cursor.execute("SELECT nothing FROM nowhere")
        with refused():
            cursor.execute("SELEKT 1")
        with refused():
            cursor.execute("UPDATE postgres_item SET rank = 1 / 0")


def execute_many(alias: str) -> None:
    rows = [(f"many-{number}", number) for number in range(7)]
    with connections[alias].cursor() as cursor:
        cursor.executemany("INSERT INTO postgres_item (name, rank) VALUES (%s, %s)", rows)
        updates: Any = iter([(1, "many-1"), (2, "many-2")])
        cursor.executemany("UPDATE postgres_item SET rank = %s WHERE name = %s", updates)


def chunks(alias: str) -> None:
    """Server-side cursors: with a transaction around them, and without one."""
    from telemetry.tests.postgres.models import Item

    items = Item.objects.using(alias)
    items.bulk_create(Item(name=f"chunk-{number}") for number in range(25))
    assert 25 == sum(1 for _ in items.iterator(chunk_size=10))
    with transaction.atomic(using=alias):
        assert 25 == sum(1 for _ in items.order_by("pk").iterator(chunk_size=10))
    next(items.iterator(chunk_size=10))


def unwrapped(alias: str) -> None:
    """What Django passes to the driver without telling its execute wrappers: each with its debug cursors too."""
    db = connections[alias]
    for db.force_debug_cursor in (False, True):
        with db.cursor() as cursor:
            cursor.callproc("abs", [-1])
            with refused():
                cursor.callproc("nothing")
            if hasattr(cursor, "copy_expert"):
                _copy_by_psycopg2(cursor)
            else:
                _copy_and_stream_by_psycopg(cursor)
            cursor.execute("SELECT count(*) FROM postgres_item")
    db.force_debug_cursor = False


def _copy_by_psycopg2(cursor: Any) -> None:
    rows = "".join(f"{time.perf_counter_ns()}-{number}\t1\n" for number in range(3))
    cursor.copy_from(io.StringIO(rows), "postgres_item", columns=("name", "rank"))
    cursor.copy_to(io.StringIO(), "postgres_item")
    cursor.copy_expert("COPY (SELECT 1) TO STDOUT", io.StringIO())
    with refused(cursor.db.Database.ProgrammingError):
        cursor.copy_expert("COPY nowhere TO STDOUT", io.StringIO())


def _copy_and_stream_by_psycopg(cursor: Any) -> None:
    with cursor.copy("COPY postgres_item (name, rank) FROM STDIN") as copy:
        for number in range(3):
            copy.write_row((f"{time.perf_counter_ns()}-{number}", 1))
    with cursor.copy("COPY postgres_item TO STDOUT") as copy:
        list(copy)
    with refused(cursor.db.Database.ProgrammingError), cursor.copy("COPY nowhere TO STDOUT"):
        raise AssertionError("entered")
    assert 5 == len(list(cursor.stream("SELECT generate_series(1, %s)", [5])))
    with refused(cursor.db.Database.ProgrammingError):
        next(cursor.stream("SELECT nothing FROM nowhere"))
    cursor.stream("SELECT that nobody asks for")


def past_django(alias: str) -> None:
    """What Django does not know of, or sees as one."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1; SELECT 2; SHOW server_version")
        cursor.cursor.execute("DELETE FROM postgres_item")


def reconnecting(alias: str) -> None:
    for _ in range(3):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
        connections[alias].close()


def borrowing(alias: str) -> None:
    """As many at once as there are threads, twice; one also by a copy of the connection."""
    together = threading.Barrier(3)

    def work() -> None:
        for _ in range(2):
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT 1")
                together.wait(30)
            connections[alias].close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(connections[alias].copy()) as copy, copy.cursor() as cursor:
        cursor.execute("SELECT 1")


def lending(alias: str) -> dict[str, Any]:
    """A pool of two: what was counted with one lent, with both lent and one more wanted, and when that was refused."""
    from telemetry import runtime

    db, seen, ready, done = connections[alias], {}, threading.Event(), threading.Event()

    def snapshot(name: str) -> None:
        runtime.get().watching.db.publish()
        seen[name] = counted()

    def borrow() -> None:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
            ready.set()
            done.wait(30)
        connections[alias].close()

    def want() -> None:
        with refused():
            connections[alias].ensure_connection()

    db.pool.open(wait=True, timeout=30)  # type: ignore[attr-defined]
    with db.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        seen["sessions"] = cursor.fetchone()[0]
        snapshot("one")
        borrower, wanting = threading.Thread(target=borrow), threading.Thread(target=want)
        borrower.start()
        ready.wait(30)
        wanting.start()
        while not db.pool.get_stats()["requests_waiting"]:  # type: ignore[attr-defined]
            assert wanting.is_alive()
            time.sleep(0.001)
        snapshot("two")
        wanting.join()
        done.set()
        borrower.join()
    snapshot("refused")
    return seen


def tenants(alias: str) -> None:
    """The same work in two schemas; the engine is django-tenants's."""
    db: Any = connections[alias]
    for name in ("one", "two"):
        db.set_schema_to_public()
        with db.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {name}")
        db.set_schema(name, include_public=False)
        schema(alias)
        chunks(alias)
        execute_many(alias)


def requests(alias: str) -> None:
    for path in ("/ok", "/database", "/items"):
        assert 200 == Client().get(path).status_code


_ON_ITEMS = (every_sort, execute_many, chunks, unwrapped, past_django, requests)
WORKLOADS: dict[str, Callable[[str], Any]] = {
    work.__name__: work for work in (*_ON_ITEMS, reconnecting, borrowing, lending, tenants)
}


def counted() -> dict[str, list[tuple[dict[str, str], float]]]:
    """The series of the databases' families; a histogram's counts."""
    from telemetry import runtime

    return {
        found.family.name: [
            (dict(labels), value.count if isinstance(value, HistogramValue) else value)
            for labels, value in found.series
        ]
        for found in runtime.get().families()
        if found.family.name.startswith(("django_db_", "db_client_"))
    }


def counted_by_django_prometheus() -> dict[str, list[tuple[dict[str, str], float]]]:
    """The same by its own metrics, where its engine is in use; totals and counts."""
    metrics = sys.modules.get("django_prometheus.db.metrics")
    if metrics is None:
        return {}
    samples = [
        sample
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase)
        for family in metric.collect()
        for sample in family.samples
        if sample.name.endswith(("_total", "_count"))
    ]
    return {
        name: [(each.labels, each.value) for each in samples if each.name == name]
        for name in {sample.name for sample in samples}
    }


def spans() -> list[dict[str, Any]]:
    return [
        {
            "name": span.name,
            "kind": span.kind.name,
            "id": span.context.span_id if span.context else None,
            "parent": span.parent.span_id if span.parent else None,
            "attributes": dict(span.attributes or {}),
        }
        for span in exporter.get_finished_spans()
    ]


def main(driver: str, name: str) -> None:
    choose(driver)
    logging.disable()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    django.setup()
    work = WORKLOADS[name]
    returned = {}
    for alias in connections:
        if work in _ON_ITEMS:
            schema(alias)
        returned[alias] = work(alias)
    for db in connections.all():
        db.close()
        if db.settings_dict["OPTIONS"].get("pool"):
            # It opens its connections in the background.
            db.pool.wait(30)  # type: ignore[attr-defined]
            db.close_pool()  # type: ignore[attr-defined]
    found = {"counted": counted(), "predecessor": counted_by_django_prometheus()}
    json.dump({**found, "spans": spans(), "returned": returned}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
