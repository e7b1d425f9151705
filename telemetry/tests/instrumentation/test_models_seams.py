"""What we rely on in Django's private compilers; a failure here means that Django has moved them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import constants
from django.db.models.sql import compiler, subqueries
from django.db.models.sql.compiler import SQLCompiler, SQLDeleteCompiler, SQLInsertCompiler, SQLUpdateCompiler
from django.db.models.sql.constants import NO_RESULTS, ROW_COUNT

from telemetry.instrumentation._writes import Writes, _Patch
from telemetry.tests.shop import models as shop
from telemetry.tests.shop.database import only_the_shop, shop_rows

Seen = list[tuple[str, str, int]]
CITY: dict[str, Any] = {"city": "x"}


@pytest.fixture
def rows() -> Iterator[None]:
    with only_the_shop(), shop_rows():
        yield


@pytest.fixture
def seen(rows: None) -> Iterator[Seen]:
    found: Seen = []

    def told(operation: str) -> Callable[[str, Callable[[], int]], None]:
        return lambda model, number: found.append((operation, model, number()))

    writes: Writes[str] = Writes(
        lambda statement: str(statement.query.model.__name__), told("insert"), told("update"), told("delete")
    )
    writes.install()
    yield found
    writes.uninstall()


class TestDjango:
    def test_has_one_compiler_for_each_write(self) -> None:
        assert "SQLInsertCompiler" == subqueries.InsertQuery.compiler
        assert "SQLUpdateCompiler" == subqueries.UpdateQuery.compiler
        assert "SQLDeleteCompiler" == subqueries.DeleteQuery.compiler
        for name in ("SQLInsertCompiler", "SQLUpdateCompiler", "SQLDeleteCompiler"):
            assert issubclass(connection.ops.compiler(name), getattr(compiler, name))

    def test_calls_them_as_we_are_called(self) -> None:
        assert ["self", "returning_fields"] == list(inspect.signature(SQLInsertCompiler.execute_sql).parameters)
        assert ["self", "result_type"] == list(inspect.signature(SQLUpdateCompiler.execute_sql).parameters)
        assert ["self", "result_type"] == list(inspect.signature(SQLDeleteCompiler.execute_sql).parameters)[:2]
        returning = getattr(SQLUpdateCompiler, "execute_returning_sql", None)
        if returning is not None:
            assert ["self", "returning_fields"] == list(inspect.signature(returning).parameters)

    def test_has_the_words_that_we_use(self) -> None:
        assert {"no results", "row count"} == {NO_RESULTS, ROW_COUNT}
        assert "IGNORE" in constants.OnConflict.__members__
        query: Any = subqueries.InsertQuery(shop.Customer, on_conflict=constants.OnConflict.IGNORE)
        assert constants.OnConflict.IGNORE is query.on_conflict
        assert [] == query.objs
        query = subqueries.UpdateQuery(shop.Customer)
        assert [] == query.values

    @pytest.mark.parametrize(
        ("operation", "expected"),
        [
            (lambda: shop.Customer(name="eve").save(), [("insert", "Customer", 1)]),
            (lambda: shop.Customer.objects.get(pk=101).save(), [("update", "Customer", 1)]),
            (lambda: shop.Customer(pk=109, name="eve").save(), [("update", "Customer", 0), ("insert", "Customer", 1)]),
            (
                lambda: shop.Customer.objects.bulk_create([shop.Customer(name="eve"), shop.Customer(name="kim")]),
                [("insert", "Customer", 2)],
            ),
            (
                lambda: shop.Customer.objects.bulk_create(
                    [shop.Customer(name="ann"), shop.Customer(name="kim")], ignore_conflicts=True
                ),
                [("insert", "Customer", 1)],
            ),
            (lambda: shop.Customer.objects.update(city="x"), [("update", "Customer", 2)]),
            (  # the collector's way to set a field, which asks for no number of rows
                lambda: subqueries.UpdateQuery(shop.Customer).update_batch([101, 102], CITY, "default"),
                [("update", "Customer", 2)],
            ),
            (
                lambda: shop.Warehouse.objects.update(name="x"),
                [("update", "Place", 1), ("update", "Warehouse", 0)],
            ),
            (lambda: shop.Remark.objects.get().delete(), [("delete", "Remark", 1)]),
            (lambda: shop.Item.objects.all().delete(), [("delete", "Item", 2)]),
            (
                lambda: shop.Customer.objects.get(pk=101).delete(),
                [
                    ("delete", "Item", 2),
                    ("update", "Remark", 1),
                    ("delete", "Order", 2),
                    ("delete", "Customer", 1),
                ],
            ),
        ],
    )
    def test_sends_every_write_through_them(self, operation: Callable[[], object], expected: Seen, seen: Seen) -> None:
        operation()
        assert expected == seen

    def test_returns_what_it_returned(self, seen: Seen) -> None:
        assert 2 == shop.Customer.objects.update(city="x")
        assert (1, {"shop.Remark": 1}) == shop.Remark.objects.all().delete()
        assert shop.Customer.objects.create(name="eve").pk is not None
        assert 0 == shop.Customer.objects.none().update(city="x")

    def test_is_left_as_it_was(self) -> None:
        def methods() -> list[Any]:
            owners = (SQLCompiler, SQLInsertCompiler, SQLUpdateCompiler, SQLDeleteCompiler)
            return [owner.__dict__.get(name) for owner in owners for name in ("execute_sql", "execute_returning_sql")]

        before = methods()
        writes: Writes[str] = Writes(lambda statement: None, *(lambda model, number: None,) * 3)
        writes.install()
        writes.install()
        assert before != methods()
        writes.uninstall()
        assert before == methods()

    def test_is_unseen_afterwards_under_somebody_elses_wrapper(
        self,
        rows: None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        original = SQLInsertCompiler.execute_sql
        seen: list[str] = []
        writes: Writes[str] = Writes(lambda statement: "", *(lambda model, number: seen.append(model),) * 3)
        writes.install()
        ours = SQLInsertCompiler.execute_sql

        def theirs(*args: Any, **kwargs: Any) -> Any:
            return ours(*args, **kwargs)

        monkeypatch.setattr(SQLInsertCompiler, "execute_sql", theirs)
        try:
            writes.uninstall()
            assert theirs is SQLInsertCompiler.execute_sql
            shop.Customer.objects.create(name="eve")
            assert [] == seen
        finally:
            monkeypatch.undo()
            SQLInsertCompiler.execute_sql = original  # type: ignore[method-assign]


class TestPatch:
    def test_leaves_an_inherited_method_to_the_order_of_the_instance(self) -> None:
        class Base:
            def execute_sql(self) -> str:
                return "base"

        class Delete(Base):
            pass

        class BackendsBase(Base):
            def execute_sql(self) -> str:
                return f"backend's {super().execute_sql()}"

        class BackendsDelete(Delete, BackendsBase):
            pass

        patch = _Patch(Delete, "execute_sql", lambda execute, compiler: f"seen {execute(compiler)}")
        assert "seen backend's base" == BackendsDelete().execute_sql()
        patch.undo()
        assert "backend's base" == BackendsDelete().execute_sql()
        assert "execute_sql" not in Delete.__dict__
