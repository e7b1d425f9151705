"""The same operations through django-prometheus's mixin and through ours: equal, but for a list with reasons."""

from __future__ import annotations

import pytest

from telemetry.tests.postgres.server import Unavailable, postgres
from telemetry.tests.shop.steps import Counts, count_steps

FAILED = "a statement that the database refuses writes no row; they count before they ask"
NO_ROW = "an update or delete that finds no row writes none"
BULK = "they see single instances only"
CASCADE = "the rows that go or change with a deleted one are rows of their own models"
TABLES = "a child writes one row in each table; they count every name once a table"

DIFFERENCES: dict[str, tuple[Counts, Counts, str]] = {
    "save with a key that is new": ({"customer": [1, 1, 0]}, {"customer": [1, 0, 0]}, NO_ROW),
    "a fixture's row": ({"customer": [1, 1, 0]}, {"customer": [1, 0, 0]}, NO_ROW),
    "update of a row that is gone": ({"customer": [0, 1, 0]}, {}, NO_ROW),
    "delete of a row that is gone": ({"customer": [0, 0, 1]}, {}, NO_ROW),
    "refused insert": ({"customer": [1, 0, 0]}, {}, FAILED),
    "refused update": ({"customer": [0, 1, 0]}, {}, FAILED),
    "delete with a cascade": (
        {"customer": [0, 0, 1]},
        {"customer": [0, 0, 1], "order": [0, 0, 2], "remark": [0, 1, 0]},
        CASCADE,
    ),
    "parent: delete": ({"place": [0, 0, 1]}, {"place": [0, 0, 1], "warehouse": [0, 0, 1]}, CASCADE),
    "bulk_create": ({}, {"customer": [3, 0, 0]}, BULK),
    "bulk_create in batches": ({}, {"customer": [3, 0, 0]}, BULK),
    "bulk_create, conflicts ignored": ({}, {"customer": [1, 0, 0]}, BULK),
    "bulk_create, conflicts updated": ({}, {"customer": [2, 0, 0]}, BULK),
    "bulk_update": ({}, {"customer": [0, 2, 0]}, BULK),
    "update of a queryset": ({}, {"customer": [0, 2, 0]}, BULK),
    "delete of a queryset": ({}, {"order": [0, 0, 1]}, BULK),
    "delete of a queryset with a cascade": (
        {},
        {"customer": [0, 0, 2], "order": [0, 0, 2], "remark": [0, 1, 0]},
        BULK,
    ),
    "delete past the collector": ({}, {"remark": [0, 0, 1]}, BULK),
    "related update": ({}, {"order": [0, 2, 0]}, BULK),
    "proxy: update of a queryset": ({}, {"customer": [0, 2, 0]}, BULK),
    "a historical model: update": ({}, {"customer": [0, 2, 0]}, BULK),
    "async": ({"customer": [1, 2, 1]}, {"customer": [3, 3, 2]}, BULK),
    "child: update of a queryset": ({}, {"warehouse": [0, 1, 0]}, BULK),
    "child: update of the parent's field": ({}, {"place": [0, 1, 0]}, BULK),
    "child: update of both": ({}, {"place": [0, 1, 0], "warehouse": [0, 1, 0]}, BULK),
    "child: create": (
        {"place": [2, 0, 0], "warehouse": [2, 0, 0]},
        {"place": [1, 0, 0], "warehouse": [1, 0, 0]},
        TABLES,
    ),
    "child: save": ({"place": [0, 2, 0], "warehouse": [0, 2, 0]}, {"place": [0, 1, 0], "warehouse": [0, 1, 0]}, TABLES),
    "child: save of its own field": (
        {"place": [0, 2, 0], "warehouse": [0, 2, 0]},
        {"warehouse": [0, 1, 0]},
        TABLES,
    ),
    "unnamed child: create": ({"place": [2, 0, 0]}, {"place": [1, 0, 0]}, TABLES),
}

EQUAL = {
    "create", "save a new one", "save again", "save some fields", "save with a default key", "save a deferred one",
    "get or create: create", "update or create: update", "update or create: create", "rolled back", "delete",
    "related create", "proxy: create", "proxy: save", "proxy: delete", "abstract base: create",
    "abstract base and own mixin: delete", "child: delete", "unnamed child: delete", "a historical model: create",
}  # fmt: skip
"""Steps that both count, and count the same."""
NOTHING = {"get or create: get", "bulk_create of nothing", "update of no row", "update of an empty queryset"}


@pytest.fixture(scope="module")
def theirs() -> dict[str, Counts]:
    return count_steps("django_prometheus")


@pytest.fixture(scope="module")
def ours() -> dict[str, Counts]:
    return count_steps("recorder")


class TestAgainstDjangoPrometheus:
    def test_what_differs(self, theirs: dict[str, Counts], ours: dict[str, Counts]) -> None:
        expected = {step: (left, right) for step, (left, right, _) in DIFFERENCES.items()}
        assert expected == {step: (theirs[step], ours[step]) for step in theirs if theirs[step] != ours[step]}

    def test_what_is_equal(self, theirs: dict[str, Counts], ours: dict[str, Counts]) -> None:
        assert EQUAL == {step for step in ours if ours[step] and ours[step] == theirs[step]}
        assert NOTHING == {step for step in ours if not ours[step] and not theirs[step]}


class TestOnPostgres:
    """Its driver reports rows of its own, and inserts give rows back."""

    def test_counts_the_same(self, ours: dict[str, Counts]) -> None:
        try:
            with postgres() as server:
                database = {
                    "ENGINE": "django.db.backends.postgresql",
                    "NAME": "postgres",
                    "USER": "postgres",
                    "PASSWORD": server.password,
                    "HOST": "127.0.0.1",
                    "PORT": server.port,
                }
                assert ours == count_steps("recorder", database)
        except Unavailable as error:
            pytest.skip(str(error))
