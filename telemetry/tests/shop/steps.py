"""One operation of every sort on the shop's models, each on the same rows.

`python -m telemetry.tests.shop.steps django_prometheus|recorder` prints, for each step, what was counted: a
list of inserts, updates and deletes by the name of the model.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Counts = dict[str, list[float]]
"""Inserts, updates and deletes, by the name of the model; without the names that have none."""


def count_steps(stack: str, database: dict[str, Any] | None = None) -> dict[str, Counts]:
    """What `stack` counts in each step, in a fresh process; `database` as in Django's `DATABASES`."""
    command = [sys.executable, "-m", __name__, stack]
    environ = {**os.environ, "TEST_STACK": stack, "DJANGO_SETTINGS_MODULE": "telemetry.tests.shop.settings"}
    if database is not None:
        environ["SHOP_DATABASE"] = json.dumps(database)
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def create_tables() -> None:
    from django.apps import apps
    from django.db import connection

    with connection.schema_editor() as editor:
        for model in apps.get_app_config("shop").get_models():
            if not model._meta.proxy:
                editor.create_model(model)


def create_rows() -> None:
    """Two customers; the first has two orders, of two items and of none, and a remark. No sequence gets to the keys."""
    from telemetry.tests.shop import models as shop

    ann = shop.Customer.objects.create(pk=101, name="ann")
    shop.Customer.objects.create(pk=102, name="bob")
    order = shop.Order.objects.create(pk=101, customer=ann)
    shop.Order.objects.create(pk=102, customer=ann)
    shop.Item.objects.bulk_create([shop.Item(order=order, title="pen"), shop.Item(order=order, title="ink")])
    shop.Remark.objects.create(customer=ann, text="late")
    shop.Invoice.objects.create(pk="00000000-0000-0000-0000-000000000001")
    shop.Warehouse.objects.create(pk=101, name="north", size=1)
    shop.Kiosk.objects.create(pk=102, name="station", window=1)


def steps() -> dict[str, Callable[[], object]]:
    """By name; Django must be set up."""
    from asgiref.sync import async_to_sync
    from django.db import DatabaseError, connection, transaction
    from django.db.migrations.state import ProjectState

    from telemetry.tests.shop import models as shop

    customers, orders = shop.Customer.objects, shop.Order.objects

    def refused(operation: Callable[[], object]) -> None:
        with suppress(DatabaseError), transaction.atomic():
            operation()
            raise AssertionError("the database should have refused this")

    def rolled_back() -> None:
        with transaction.atomic():
            customers.create(name="eve")
            transaction.set_rollback(True)

    def gone() -> None:
        bob = customers.get(name="bob")
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM shop_customer WHERE name = 'bob'")
        bob.delete()

    def bulk_update() -> None:
        ann, bob = customers.order_by("name")
        ann.city = bob.city = "x"
        customers.bulk_update([ann, bob, shop.Customer(pk=199, name="nobody")], ["city"])

    def historical() -> Any:
        return ProjectState.from_apps(shop.Customer._meta.apps).apps.get_model("shop", "Customer").objects

    async def asynchronous() -> None:
        eve = await customers.acreate(name="eve")
        await eve.asave()
        await customers.abulk_create([shop.Customer(name="kim"), shop.Customer(name="lee")])
        await customers.filter(name="kim").aupdate(city="x")
        await customers.aupdate_or_create(name="lee", defaults={"city": "y"})
        await customers.filter(name="lee").adelete()
        await eve.adelete()

    named: Any = shop.Customer
    conflicting = [named(name="ann", city="x"), named(name="eve", city="x")]
    target = ["name"] if connection.features.supports_update_conflicts_with_target else None  # none on MySQL
    return {
        "create": lambda: customers.create(name="eve"),
        "save a new one": lambda: named(name="eve").save(),
        "save again": lambda: customers.get(name="bob").save(),
        "save some fields": lambda: customers.get(name="bob").save(update_fields=["city"]),
        "save with a key that is new": lambda: named(pk=109, name="eve").save(),
        "save with a default key": lambda: shop.Invoice().save(),
        "save a deferred one": lambda: customers.defer("city").get(name="bob").save(),
        "get or create: get": lambda: customers.get_or_create(name="bob"),
        "get or create: create": lambda: customers.get_or_create(name="eve"),
        "update or create: update": lambda: customers.update_or_create(name="bob", defaults={"city": "x"}),
        "update or create: create": lambda: customers.update_or_create(name="eve", defaults={"city": "x"}),
        "refused insert": lambda: refused(lambda: customers.create(name="bob")),
        "refused update": lambda: refused(lambda: named(pk=102, name="ann").save(update_fields=["name"])),
        "update of a row that is gone": lambda: refused(lambda: named(pk=109, name="eve").save(force_update=True)),
        "rolled back": rolled_back,
        "delete": lambda: customers.get(name="bob").delete(),
        "delete with a cascade": lambda: customers.get(name="ann").delete(),
        "delete of a row that is gone": gone,
        "bulk_create": lambda: customers.bulk_create([named(name=name) for name in "abc"]),
        "bulk_create in batches": lambda: customers.bulk_create([named(name=name) for name in "abc"], batch_size=2),
        "bulk_create, conflicts ignored": lambda: customers.bulk_create(conflicting, ignore_conflicts=True),
        "bulk_create, conflicts updated": lambda: customers.bulk_create(
            conflicting, update_conflicts=True, unique_fields=target, update_fields=["city"]
        ),
        "bulk_create of nothing": lambda: customers.bulk_create([]),
        "bulk_update": bulk_update,
        "update of a queryset": lambda: customers.update(city="x"),
        "update of no row": lambda: customers.filter(name="nobody").update(city="x"),
        "update of an empty queryset": lambda: customers.none().update(city="x"),
        "delete of a queryset": lambda: orders.filter(pk=102).delete(),
        "delete of a queryset with a cascade": lambda: customers.all().delete(),
        "delete past the collector": lambda: shop.Remark.objects.all()._raw_delete("default"),
        "related create": lambda: customers.get(name="bob").order_set.create(),
        "related update": lambda: customers.get(name="ann").order_set.update(total=1),
        "proxy: create": lambda: shop.Vip.objects.create(name="eve"),
        "proxy: save": lambda: shop.Vip.objects.get(name="bob").save(),
        "proxy: delete": lambda: shop.Vip.objects.get(name="bob").delete(),
        "proxy: update of a queryset": lambda: shop.Vip.objects.update(city="x"),
        "abstract base: create": lambda: shop.Receipt.objects.create(),
        "abstract base and own mixin: delete": lambda: shop.Invoice.objects.get().delete(),
        "child: create": lambda: shop.Warehouse.objects.create(name="south"),
        "child: save": lambda: shop.Warehouse.objects.get().save(),
        "child: save of its own field": lambda: shop.Warehouse.objects.get().save(update_fields=["size"]),
        "child: delete": lambda: shop.Warehouse.objects.get().delete(),
        "child: update of a queryset": lambda: shop.Warehouse.objects.update(size=2),
        "child: update of the parent's field": lambda: shop.Warehouse.objects.update(name="x"),
        "child: update of both": lambda: shop.Warehouse.objects.update(name="x", size=2),
        "unnamed child: create": lambda: shop.Kiosk.objects.create(name="corner"),
        "unnamed child: delete": lambda: shop.Kiosk.objects.get().delete(),
        "parent: delete": lambda: shop.Place.objects.get(name="north").delete(),
        "a fixture's row": lambda: named(pk=109, name="eve").save_base(raw=True),
        "a historical model: create": lambda: historical().create(name="eve"),
        "a historical model: update": lambda: historical().update(city="x"),
        "async": async_to_sync(asynchronous),
    }


def _main(stack: str) -> dict[str, Counts]:
    import django
    from django.db import transaction

    django.setup()
    create_tables()
    create_rows()
    counts = _counting_theirs() if stack == "django_prometheus" else _counting_ours()
    found = {}
    for name, step in steps().items():
        before = counts()
        with transaction.atomic():
            step()
            transaction.set_rollback(True)
        after = counts()
        zero = [0.0, 0.0, 0.0]
        differences = {
            model: [b - a for a, b in zip(before.get(model, zero), after[model], strict=True)] for model in after
        }
        found[name] = {model: difference for model, difference in differences.items() if any(difference)}
    return found


def _counting_theirs() -> Callable[[], Counts]:
    from django_prometheus.models import model_deletes, model_inserts, model_updates  # type: ignore[import-untyped]

    def counts() -> Counts:
        found: Counts = {}
        for at, counter in enumerate((model_inserts, model_updates, model_deletes)):
            for sample in counter.collect()[0].samples:
                if sample.name.endswith("_total"):
                    found.setdefault(sample.labels["model"], [0.0, 0.0, 0.0])[at] = sample.value
        return found

    return counts


def _counting_ours() -> Callable[[], Counts]:
    from telemetry.catalogue.models import model_catalogue
    from telemetry.instrumentation.guard import Guard
    from telemetry.instrumentation.models import ModelInstrumentation, declared
    from telemetry.projections import evaluate_all
    from telemetry.store import MemoryStore

    store = MemoryStore()
    catalogue = model_catalogue(declared())
    ModelInstrumentation(store, catalogue, Guard(store), {}).install()

    def counts() -> Counts:
        found: Counts = {}
        for at, family in enumerate(evaluate_all(catalogue.projections, store.read())):
            for labels, value in family.series:
                assert isinstance(value, float)
                found.setdefault(labels[0][1], [0.0, 0.0, 0.0])[at] = value
        return found

    return counts


if __name__ == "__main__":
    json.dump(_main(sys.argv[1]), sys.stdout)
