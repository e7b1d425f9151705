"""Spans of real queries: one each, in the request's trace, without parameters."""

from __future__ import annotations

from collections import Counter

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


def queries(found: Run) -> list[dict[str, object]]:
    """The spans of what the requests asked."""
    (begin,) = (n for n, span in enumerate(found.spans) if span["name"] == "GET ok")
    return [
        span
        for span in found.spans[begin:]
        if span["kind"] == "CLIENT" and not span["attributes"]["db.query.text"].startswith(TIME_ZONE)
    ]


class TestQuerySpan:
    def test_one_for_each_query(self, found: Run) -> None:
        expected = found.operations("default") + found.operations("default", failed=True)
        spans = [span for span in found.spans if span["kind"] == "CLIENT"]
        actual = Counter(
            str(span["name"]) for span in spans if not span["attributes"]["db.query.text"].startswith(TIME_ZONE)
        )
        assert expected == actual
        assert expected["INSERT"] >= 5

    def test_is_a_child_of_its_request(self, found: Run) -> None:
        requests = {span["name"]: span["id"] for span in found.spans if span["kind"] == "SERVER"}
        assert ["GET ok", "GET database", "GET items"] == list(requests)
        parents = Counter(span["parent"] for span in queries(found))
        assert {requests["GET database"], requests["GET items"]} == set(parents)

    def test_names_database_and_server(self, found: Run) -> None:
        expected = ("postgresql", found.databases["default"], "127.0.0.1", found.server.port)
        names = ("db.system.name", "db.namespace", "server.address", "server.port")
        assert {expected} == {
            tuple(span["attributes"][name] for name in names)
            for span in found.spans
            if "db.system.name" in span["attributes"]
        }

    def test_holds_the_query_without_its_parameters(self, found: Run) -> None:
        texts = [span["attributes"]["db.query.text"] for span in queries(found)]  # type: ignore[index]
        assert 'UPDATE "postgres_item" SET "rank" = %s WHERE "postgres_item"."name" = %s' in texts
        assert "private" not in repr(found.spans)
        assert "4711" not in repr(texts)
        assert found.server.password not in repr(found.spans)
