"""What the shop does with its databases and its caches, one step a request."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.core.cache import caches
from django.db import DatabaseError, IntegrityError, OperationalError, connection, connections, transaction
from django.http import HttpRequest, HttpResponse

from telemetry.tests.dropin.shop.models import Audit, Line, Order, Product


def step(request: HttpRequest, step: str) -> HttpResponse:
    return HttpResponse(str(_DATA[step]()))


def cache_step(request: HttpRequest, step: str) -> HttpResponse:
    return HttpResponse(str(_CACHE[step]()))


def _save() -> Any:
    product = Product.objects.create(name="saved")
    product.price = 5
    product.save()
    product.save(update_fields=["price"])
    Product(pk=product.pk, name="again").save()
    Product.objects.get_or_create(name="again")
    Product.objects.update_or_create(name="again", defaults={"price": 7})
    Product.objects.get_or_create(name="made")
    return Product.objects.count()


def _delete() -> Any:
    Product.objects.get(name="again").delete()
    return Product.objects.get(name="made").delete()


def _order() -> Any:
    """In a transaction, with a part that is rolled back, and lines that go with their order."""
    with transaction.atomic():
        product = Product.objects.create(name="ordered")
        order = Order.objects.create(customer="Ann")
        Line.objects.create(order=order, product=product)
        with suppress(LookupError), transaction.atomic():
            Order.objects.create(customer="nobody")
            raise LookupError
    order.delete()
    product.delete()
    return Order.objects.count()


def _bulk() -> Any:
    made = Product.objects.bulk_create([Product(name=f"bulk {number}") for number in range(4)])
    Product.objects.filter(name__startswith="bulk").update(price=3)
    for product in made:
        product.price += 1
    Product.objects.bulk_update(made, ["price"])
    return Product.objects.filter(name__startswith="bulk").delete()


def _many() -> Any:
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO shop_product (name, price) VALUES (%s, 1)", [("x",), ("y",), ("z",)])
        cursor.execute("DELETE FROM shop_product WHERE name IN ('x', 'y', 'z')")
        return cursor.rowcount


def _iterate() -> Any:
    return [product.pk for product in Product.objects.order_by("pk").iterator(chunk_size=1)]


def _errors() -> Any:
    """Handled ones: a duplicate by the ORM, one by SQL, a table that is not there, broken SQL."""
    caught = []
    try:
        with transaction.atomic():
            Product.objects.create(name="first")
    except IntegrityError as error:
        caught.append(type(error).__name__)
    for statement in (
        "INSERT INTO shop_product (name, price) VALUES ('first', 1)",
        "SELECT nothing FROM nowhere",
        "SELEKT",
    ):
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        except DatabaseError as error:
            caught.append(type(error).__name__)
    with suppress(DatabaseError), connection.cursor() as cursor:
        cursor.executemany("INSERT INTO shop_product (name, price) VALUES (%s, 1)", [("first",), ("second",)])
    return caught


def _unhandled() -> Any:
    return Product.objects.create(name="first")


def _archive() -> Any:
    Audit.objects.create(text="looked")
    Audit.objects.create(text="looked again")
    return Audit.objects.get(text="looked").delete()


def _down() -> Any:
    try:
        connections["down"].ensure_connection()
    except OperationalError:
        return "down"


_DATA: dict[str, Callable[[], Any]] = {
    "save": _save,
    "delete": _delete,
    "order": _order,
    "bulk": _bulk,
    "many": _many,
    "iterate": _iterate,
    "errors": _errors,
    "unhandled": _unhandled,
    "archive": _archive,
    "down": _down,
}


def _get(alias: str) -> Callable[[], Any]:
    def run() -> Any:
        cache = caches[alias]
        cache.set("here", "value")
        found = [cache.get("here"), cache.get("here", "default"), cache.get("absent"), cache.get("absent", "default")]
        cache.set("empty", "")
        # what django-prometheus gives back for these is another matter
        cache.get("empty", "default")
        cache.delete("here")
        cache.delete("empty")
        return found

    return run


def _none() -> Any:
    caches["default"].set("none", None)
    found = caches["default"].get("none")
    caches["default"].delete("none")
    return found


def _more() -> Any:
    cache = caches["default"]
    cache.set_many({"a": 1, "b": 2})
    cache.add("a", 3)
    cache.incr("a")
    cache.touch("b")
    found = [cache.get_many(["a", "b", "absent"]), "a" in cache]
    cache.delete_many(["a", "b"])
    return found


def _get_or_set() -> Any:
    cache = caches["default"]
    found = [cache.get_or_set("made", 1), cache.get_or_set("made", 2)]
    cache.delete("made")
    return found


_CACHE: dict[str, Callable[[], Any]] = {
    "default": _get("default"),
    "second": _get("second"),
    "files": _get("files"),
    "none": _none,
    "more": _more,
    "get_or_set": _get_or_set,
}
