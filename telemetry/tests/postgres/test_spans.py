"""Spans of real queries: one each, in the request's trace, without parameters."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from telemetry.tests.postgres.conftest import Run, Runs

# Django sets the time zone of a new connection past its own cursors; a pool does so outside of any request.
TIME_ZONE = "SELECT set_config("


@pytest.fixture(
    params=[("psycopg", {}), ("psycopg", {"pool": True}), ("psycopg2", {})], ids=["psycopg", "pool", "psycopg2"]
)
def found(request: pytest.FixtureRequest, run: Runs) -> Run:
    driver, options = request.param
    return run(driver, "requests", ("default",), **options)


def queries(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        span
        for span in spans
        if span["kind"] == "CLIENT" and not span["attributes"]["db.query.text"].startswith(TIME_ZONE)
    ]


def names(spans: list[dict[str, Any]]) -> Counter[str]:
    return Counter(span["name"] for span in spans)


class TestQuerySpan:
    def test_one_for_each_query(self, found: Run) -> None:
        expected = found.operations("default") + found.operations("default", failed=True)
        assert expected == names(queries(found.spans))
        assert expected["INSERT"] >= 5

    def test_is_a_child_of_its_request(self, found: Run) -> None:
        requests = {span["name"]: span["id"] for span in found.spans if span["kind"] == "SERVER"}
        assert ["GET ok", "GET database", "GET items"] == list(requests)
        begin = [span["name"] for span in found.spans].index("GET ok")
        parents = {span["parent"] for span in queries(found.spans[begin:])}
        assert {requests["GET database"], requests["GET items"]} == parents

    def test_names_database_and_server(self, found: Run) -> None:
        expected = ("postgresql", found.databases["default"], "127.0.0.1", found.server.port)
        attributes = ("db.system.name", "db.namespace", "server.address", "server.port")
        spans = queries(found.spans)
        assert {expected} == {tuple(span["attributes"][name] for name in attributes) for span in spans}

    def test_holds_the_query_without_its_parameters(self, found: Run) -> None:
        texts = [span["attributes"]["db.query.text"] for span in queries(found.spans)]
        assert 'UPDATE "postgres_item" SET "rank" = %s WHERE "postgres_item"."name" = %s' in texts
        assert "private" not in repr(found.spans)
        assert "4711" not in repr(texts)
        assert found.server.password not in repr(found.spans)


class TestServerSideCursor:
    @pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
    def test_one_for_each_query(self, run: Runs, driver: str) -> None:
        found = run(driver, "chunks")
        expected = sum((found.operations(alias) for alias in found.databases), Counter())
        assert expected == names(queries(found.spans))
