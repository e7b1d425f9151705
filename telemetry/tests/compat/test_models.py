from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.catalogue.by_hand import with_by_hand
from telemetry.catalogue.models import model_catalogue
from telemetry.compat.django_prometheus import _home, models
from telemetry.projections import evaluate_all
from telemetry.store import MemoryStore
from telemetry.tests.compat.service import Service

DESCRIBE = """
import importlib, json, sys
from django.conf import settings
settings.configure()
module = importlib.import_module(sys.argv[1] + ".models")
counters = [getattr(module, name) for name in ("model_inserts", "model_updates", "model_deletes")]
print(json.dumps([(each._name, each._type, each._documentation, each._labelnames) for each in counters]))
mixin = module.ExportModelOperationsMixin("o'clock")
print(json.dumps([mixin.__mro__[1:] == (object,), module.ExportModelOperationsMixin("dog").__qualname__]))
"""


def described(package: str) -> list[object]:
    done = subprocess.run([sys.executable, "-c", DESCRIBE, package], capture_output=True, text=True, timeout=60)
    assert 0 == done.returncode, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryStore]:
    found = MemoryStore()
    monkeypatch.setattr(_home, "home", _home.Home(found))
    yield found


class TestModule:
    def test_has_the_names_of_the_original(self) -> None:
        assert described("django_prometheus") == described("telemetry.compat.django_prometheus")

    def test_counts_by_hand_what_the_page_adds_up(self, store: MemoryStore) -> None:
        models.model_inserts.labels("by hand").inc()
        models.model_inserts.labels(model="by hand").inc(2)
        models.model_deletes.labels(model="by hand").inc()
        families = evaluate_all(with_by_hand(model_catalogue().projections), store.read())
        expected = [3.0, None, 1.0]
        assert expected == [dict(family.series).get((("model", "by hand"),)) for family in families]


SCRIPT = """
from telemetry.tests.shop.steps import create_tables
from telemetry.tests.shop import models as shop
from telemetry.compat.django_prometheus.models import model_inserts, model_updates
create_tables()
show("before")
ann = shop.Customer.objects.create(name="ann")
order = shop.Order.objects.create(customer=ann)
shop.Item.objects.bulk_create([shop.Item(order=order, title=title) for title in "abc"])
shop.Item.objects.update(title="x")
model_inserts.labels(model="order").inc(5)
ann.delete()
show("after")
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    service = Service(tmp_path_factory.mktemp("models"), TELEMETRY_MODELS=["shop.Item"])
    return service.run(SCRIPT)


class TestService:
    """The app as a user installs it."""

    def test_shows_every_name_from_the_start(self, pages: dict[str, dict[str, float]]) -> None:
        names = ("customer", "order", "remark", "dated", "invoice", "place", "warehouse", "item")
        operations = ("inserts", "updates", "deletes")
        zeros = {f'django_model_{operation}_total{{model="{name}"}}': 0.0 for operation in operations for name in names}
        assert zeros == {line: value for line, value in pages["before"].items() if line.startswith("django_model_")}

    def test_counts_mixins_settings_and_what_is_counted_by_hand(self, pages: dict[str, dict[str, float]]) -> None:
        after = pages["after"].items()
        assert {
            'django_model_inserts_total{model="customer"}': 1,
            'django_model_inserts_total{model="order"}': 6,
            'django_model_inserts_total{model="item"}': 3,
            'django_model_updates_total{model="item"}': 3,
            'django_model_deletes_total{model="customer"}': 1,
            'django_model_deletes_total{model="order"}': 1,
            'django_model_deletes_total{model="item"}': 3,
        } == {line: value for line, value in after if line.startswith("django_model_") and value}

    def test_puts_its_namespace_before_the_names(self, tmp_path: Path) -> None:
        (page,) = Service(tmp_path, PROMETHEUS_METRIC_NAMESPACE="shop").run("show('page')").values()
        assert 'shop_django_model_inserts_total{model="customer"}' in page
        assert not [line for line in page if line.startswith("django_model_")]

    def test_refuses_to_start_with_a_name_that_matches_no_model(self, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match=r"TELEMETRY_MODELS: 'shop\.Ordr' matches no model; those of the app"):
            Service(tmp_path, TELEMETRY_MODELS=["shop.Ordr"]).run("show('page')")
