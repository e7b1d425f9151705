from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps.registry import Apps
from django.db import models
from django.db.migrations.writer import MigrationWriter
from django.db.models.sql.compiler import SQLDeleteCompiler, SQLInsertCompiler, SQLUpdateCompiler

from telemetry.catalogue.models import model_catalogue
from telemetry.catalogue.own import DROPPED
from telemetry.compat.django_prometheus.models import ExportModelOperationsMixin
from telemetry.errors import ConfigurationError
from telemetry.instrumentation import models as instrumentation
from telemetry.instrumentation.guard import Guard
from telemetry.instrumentation.models import ModelInstrumentation, declared, name_models
from telemetry.projections import evaluate_all
from telemetry.samples import FamilySamples
from telemetry.store import MemoryStore
from telemetry.tests.shop import models as shop
from telemetry.tests.shop.database import only_the_shop, shop_rows

COMPILERS = (SQLInsertCompiler, SQLUpdateCompiler, SQLDeleteCompiler)


class Counting:
    """The shop's models on a store of their own."""

    def __init__(self, *given: str) -> None:
        self.store = MemoryStore()
        named = name_models(given)
        self.catalogue = model_catalogue([*declared(), *named.values()])
        self.instrumentation = ModelInstrumentation(self.store, self.catalogue, Guard(self.store), named)

    def families(self) -> list[FamilySamples]:
        return evaluate_all(self.catalogue.projections, self.store.read())

    def shown(self) -> list[dict[str, float]]:
        """Inserts, updates and deletes by name; zeros too."""
        return [{labels[0][1]: value for labels, value in family.series} for family in self.families()]  # type: ignore[misc]

    def counts(self) -> list[dict[str, float]]:
        return [{name: value for name, value in family.items() if value} for family in self.shown()]

    def dropped(self) -> set[tuple[object, ...]]:
        table = self.store.read().tables.get(DROPPED.name)
        return set(table.series()) if table else set()


@pytest.fixture(autouse=True)
def shop_app() -> Iterator[None]:
    with only_the_shop():
        yield


@pytest.fixture
def rows() -> Iterator[None]:
    with shop_rows():
        yield


@pytest.fixture
def counting(request: pytest.FixtureRequest, rows: None) -> Iterator[Counting]:
    """Counts what the mixins name, and what the test's parameter does."""
    found = Counting(*getattr(request, "param", ()))
    found.instrumentation.install()
    yield found
    found.instrumentation.uninstall()


def model_of(app: str, name: str, **attributes: Any) -> type[models.Model]:
    """A model that is in no registry but its own."""
    options = type("Meta", (), {"app_label": app, "apps": Apps()})
    return type(name, (models.Model,), {"__module__": __name__, "Meta": options, **attributes})


class TestFamilies:
    def test_show_each_name_as_zero(self) -> None:
        names = {"customer", "order", "remark", "dated", "invoice", "place", "warehouse"}
        for family in Counting().shown():
            assert names <= set(family)
            assert {0.0} == set(family.values())

    def test_are_those_of_the_contract(self) -> None:
        families = [found.family for found in Counting().families()]
        assert [
            ("django_model_inserts_total", "counter", "Number of insert operations by model.", ("model",)),
            ("django_model_updates_total", "counter", "Number of update operations by model.", ("model",)),
            ("django_model_deletes_total", "counter", "Number of delete operations by model.", ("model",)),
        ] == [(family.name, family.type.value, family.help, family.labels) for family in families]


class TestExportModelOperationsMixin:
    def test_stands_in_a_migration_as_its_call(self) -> None:
        text, imports = MigrationWriter.serialize(ExportModelOperationsMixin("order"))
        assert "telemetry.compat.django_prometheus.models.ExportModelOperationsMixin('order')" == text
        module: dict[str, Any] = {}
        exec("\n".join(imports), module)
        assert "_telemetry_model_name" in eval(text, module).__dict__

    def test_made_while_counting_shows_its_zeros(self, counting: Counting) -> None:
        name = "made while counting"
        ExportModelOperationsMixin(name)
        instrumentation._declared.pop(name)
        assert [0.0, 0.0, 0.0] == [family.get(name) for family in counting.shown()]

    def test_made_again_by_a_migration_records_nothing(self, counting: Counting) -> None:
        ExportModelOperationsMixin("customer")
        assert [0, 0, 0] == [len(table.slots) for table in counting.instrumentation._tables]

    def test_first_made_while_counting_starts_to_watch(self, monkeypatch: pytest.MonkeyPatch, rows: None) -> None:
        monkeypatch.setattr(instrumentation, "_declared", {})
        before = [compiler.execute_sql for compiler in COMPILERS]
        counting = Counting()
        counting.instrumentation.install()
        try:
            assert before == [compiler.execute_sql for compiler in COMPILERS]
            ExportModelOperationsMixin("customer")
            shop.Customer.objects.create(name="eve")
            assert [{"customer": 1}, {}, {}] == counting.counts()
        finally:
            counting.instrumentation.uninstall()

    def test_on_a_proxy_alone_names_the_table(self, counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(shop.Customer.__mro__[1], "_telemetry_model_name")
        monkeypatch.setattr(shop.Vip, "_telemetry_model_name", "vip", raising=False)
        shop.Customer.objects.create(name="eve")
        assert [{"vip": 1}, {}, {}] == counting.counts()


class TestNameModels:
    def test_by_their_own_names(self) -> None:
        assert {"shop.item": "item"} == name_models(["shop.Item"])
        assert {"shop.item": "item"} == name_models(["shop.item"])

    @pytest.mark.parametrize("given", ["shop.*", "*"])
    def test_all_at_once_without_those_with_a_mixin(self, given: str) -> None:
        assert {"shop.item": "item", "shop.kiosk": "kiosk"} == name_models([given])

    def test_two_of_one_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = [model_of("shop", "Parcel"), model_of("post", "Parcel"), model_of("post", "Stamp")]
        monkeypatch.setattr(instrumentation, "apps", SimpleNamespace(get_models=lambda: found))
        expected = {"shop.parcel": "shop.parcel", "post.parcel": "post.parcel", "post.stamp": "stamp"}
        assert expected == name_models(["*"])
        assert {"shop.parcel": "parcel"} == name_models(["shop.*"])

    def test_one_that_has_the_name_of_a_mixin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = [model_of("post", "Order")]
        monkeypatch.setattr(instrumentation, "apps", SimpleNamespace(get_models=lambda: found))
        assert {"post.order": "post.order"} == name_models(["*"])

    @pytest.mark.parametrize(
        ("given", "valid"),
        [
            ("shop.Ordr", "'shop.Ordr' matches no model; those of the app are: shop.Customer, shop.Invoice, shop.Item"),
            ("post.Parcel", "'post.Parcel' is of no app that has models"),
            ("post.Parcel", "apps with models are: shop"),
            ("Order", '\'Order\' is of no app that has models; give "app.Model", "app.*" or "*"'),
            ("shop", "'shop' matches no model"),
            ("shop.Vip", "'shop.Vip' is a proxy; give the model whose rows it shows: shop.Customer"),
        ],
    )
    def test_refuses_what_matches_none(self, given: str, valid: str) -> None:
        with pytest.raises(ConfigurationError) as refused:
            name_models(["shop.Item", given])
        assert str(refused.value).startswith("TELEMETRY_MODELS: ")
        assert valid in str(refused.value)


class TestModelInstrumentation:
    @pytest.mark.parametrize("counting", [("shop.Item",)], indirect=True)
    def test_counts_what_the_setting_names(self, counting: Counting) -> None:
        shop.Item.objects.create(order_id=101, title="cap")
        shop.Kiosk.objects.create(name="corner")
        shop.Item.objects.update(title="x")
        shop.Order.objects.all().delete()
        assert [{"item": 1, "place": 1}, {"item": 3}, {"item": 3, "order": 2}] == counting.counts()

    def test_leaves_unnamed_models_alone(self, counting: Counting) -> None:
        shop.Item.objects.create(order_id=101, title="cap").save()
        shop.Item.objects.update(title="x")
        shop.Item.objects.all().delete()
        assert [{}, {}, {}] == counting.counts()

    @pytest.mark.parametrize("counting", [("shop.*",)], indirect=True)
    def test_counts_a_model_with_mixin_and_setting_once(self, counting: Counting) -> None:
        shop.Customer.objects.create(name="eve")
        assert [{"customer": 1}, {}, {}] == counting.counts()

    def test_ends_with_uninstall(self, counting: Counting) -> None:
        counting.instrumentation.install()
        counting.instrumentation.uninstall()
        counting.instrumentation.uninstall()
        shop.Customer.objects.create(name="eve")
        name = "made after the end"
        ExportModelOperationsMixin(name)
        instrumentation._declared.pop(name)
        shop.Customer.objects.create(name="kim")
        assert [{}, {}, {}] == counting.counts()
        assert name not in counting.shown()[0]

    def test_loses_a_count_and_not_a_row(self, counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*args: object) -> int:
            raise OSError("no room")

        monkeypatch.setattr(counting.store, "bind", broken)
        guard = counting.instrumentation._guard
        failures: list[str] = []
        monkeypatch.setattr(guard, "failed", lambda where, exc: failures.append(where))
        shop.Customer.objects.create(name="eve")
        shop.Customer.objects.update(city="x")
        shop.Remark.objects.all().delete()
        assert ["models.inserts", "models.updates", "models.deletes"] == failures
        assert {"ann", "bob", "eve"} == set(shop.Customer.objects.filter(city="x").values_list("name", flat=True))

    def test_does_without_a_name_where_it_cannot_be_found(
        self, counting: Counting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(counting.instrumentation, "_known", None)
        shop.Customer.objects.create(name="eve")
        assert {("models.name",)} == counting.dropped()
        assert [{}, {}, {}] == counting.counts()
