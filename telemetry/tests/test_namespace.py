"""The word before django-prometheus's names."""

from __future__ import annotations

import pytest

from telemetry.catalogue.db import db_catalogue
from telemetry.catalogue.namespace import in_namespace
from telemetry.errors import SpecError

PROJECTIONS = db_catalogue().projections


class TestInNamespace:
    def test_it_stands_before_the_names_of_django_prometheus_alone(self) -> None:
        names = [each.family.name for each in in_namespace(PROJECTIONS, "acme")]
        assert "acme_django_db_execute_total" in names
        assert "db_client_operation_duration_seconds" in names
        assert len(PROJECTIONS) == len(names)

    def test_an_empty_one_changes_nothing(self) -> None:
        assert in_namespace(PROJECTIONS, "") == PROJECTIONS

    def test_all_but_the_name_stays(self) -> None:
        for before, after in zip(PROJECTIONS, in_namespace(PROJECTIONS, "acme"), strict=True):
            assert (before.sources, before.family.labels, before.family.buckets, before.family.help) == (
                after.sources,
                after.family.labels,
                after.family.buckets,
                after.family.help,
            )

    def test_one_that_makes_no_name(self) -> None:
        with pytest.raises(SpecError, match="my-shop_django"):
            in_namespace(PROJECTIONS, "my-shop")
