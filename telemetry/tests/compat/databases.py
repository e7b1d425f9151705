"""The same statements through the engines of django-prometheus or of ours: prints what is on the page, as JSON.

`python -m telemetry.tests.compat.databases PACKAGE DIRECTORY`: PACKAGE is `django_prometheus`, or ours for it.
"""

from __future__ import annotations

import json
import logging
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import django
import prometheus_client
from django.conf import settings
from django.db import DatabaseError, IntegrityError, connections, transaction
from prometheus_client.parser import text_string_to_metric_families

ORIGINAL, OURS = "django_prometheus", "telemetry.compat.django_prometheus"
SOURCE = Path(__file__).with_name("own_engine.py.txt")


def own_engine(package: str) -> ModuleType:
    """The project's own engine after the search-and-replace, as two engines that Django can load."""
    module = ModuleType("own_engine")
    exec(compile(SOURCE.read_text().replace(ORIGINAL, package), str(SOURCE), "exec"), module.__dict__)
    for name in ("ByMixin", "ByHand"):
        base = sys.modules[f"own_engine_{name.lower()}.base"] = ModuleType("base")
        base.DatabaseWrapper = getattr(module, name)  # type: ignore[attr-defined]
        sys.modules[f"own_engine_{name.lower()}"] = ModuleType("own_engine")
    return module


def work(alias: str) -> None:
    db = connections[alias]
    with db.cursor() as cursor:
        cursor.execute("CREATE TABLE t (v integer UNIQUE)")
        cursor.execute("INSERT INTO t VALUES (%s)", [1])
        cursor.executemany("INSERT INTO t VALUES (%s)", [(2,), (3,), (4,)])
        cursor.execute("SELECT v FROM t")
        assert [(1,), (2,), (3,), (4,)] == cursor.fetchall()
        with suppress(DatabaseError):
            cursor.execute("SELECT nothing FROM nowhere")
    outer, inner = transaction.atomic(using=alias), transaction.atomic(using=alias)
    with suppress(IntegrityError), outer, inner, db.cursor() as cursor:
        cursor.executemany("INSERT INTO t VALUES (%s)", [(5,), (1,)])
    db.close()
    with db.cursor() as cursor:
        cursor.execute("SELECT 1")
    db.close()


def by_hand(package: str) -> None:
    """What a project's own code counts and watches."""
    db, common = import_module(f"{package}.db"), import_module(f"{package}.db.common")
    db.connections_total.labels("own", "oddity").inc()
    db.connection_errors_total.labels(alias="own", vendor="oddity").inc(2)
    db.execute_total.labels("own", "oddity").inc(3)
    db.execute_many_total.labels("own", "oddity").inc(2)
    with suppress(KeyError), common.ExceptionCounterByType(db.errors_total, extra_labels={"alias": "a", "vendor": "b"}):
        raise KeyError
    with common.ExceptionCounterByType(db.errors_total, extra_labels={"alias": "a", "vendor": "b"}):
        pass
    with db.query_duration_seconds.labels("own", "oddity").time():
        pass
    own = prometheus_client.Counter("django_db_own", "The project's own.", ["kind"])
    with suppress(ValueError), common.ExceptionCounterByType(own, "kind", {}):
        raise ValueError


def page(package: str) -> dict[str, Any]:
    """Type, HELP and series of each family of databases; no creation times, no durations."""
    if package == ORIGINAL:
        text = prometheus_client.generate_latest().decode()
    else:
        from telemetry import runtime

        text = runtime.get().scrape().body.decode()
    return {
        family.name: {
            "type": family.type,
            "help": family.documentation,
            "series": {
                f"{sample.name}{sorted(sample.labels.items())}": sample.value
                for sample in family.samples
                if not sample.name.endswith(("_bucket", "_sum"))
            },
            "edges": sorted({sample.labels["le"] for sample in family.samples if "le" in sample.labels}),
        }
        for family in text_string_to_metric_families(text)
        if family.name.startswith("django_db_") and not family.name.endswith("_created")
    }


def main(package: str, directory: str) -> None:
    logging.disable()
    databases = {
        alias: {"ENGINE": engine, "NAME": str(Path(directory, f"{alias}.sqlite3"))}
        for alias, engine in (
            ("default", f"{package}.db.backends.sqlite3"),
            ("mixin", "own_engine_bymixin"),
            ("hand", "own_engine_byhand"),
        )
    }
    databases["broken"] = {"ENGINE": f"{package}.db.backends.sqlite3", "NAME": str(Path(directory, "none", "x"))}
    apps = ["django_prometheus"] if package == ORIGINAL else ["telemetry"]
    settings.configure(DATABASES=databases, INSTALLED_APPS=apps, PROMETHEUS_LATENCY_BUCKETS=(0.5, 1.5, float("inf")))
    module = own_engine(package)
    django.setup()
    for alias in ("default", "mixin", "hand"):
        work(alias)
    with suppress(DatabaseError):
        connections["broken"].ensure_connection()
    by_hand(package)
    json.dump({"page": page(package), "cursors": len(module.made)}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
