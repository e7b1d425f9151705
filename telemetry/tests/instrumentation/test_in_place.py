"""Ours in the places of the stock instrumentors: what those were given, before or after, goes on working."""

from __future__ import annotations

from typing import Any

import pytest

from telemetry.instrumentation import spans
from telemetry.tests.instrumentation.test_spans import NAMES, of_kind, run

COMMENTER = "opentelemetry.instrumentation.django.middleware.sqlcommenter_middleware.SqlCommenter"
HOOKED = {"hooked.path": "/items/7/", "hooked.status": 200}


def told(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The spans, but for what is different at every run."""
    return [(span["name"], span["kind"], span["status"], span["events"], span["schema"]) for span in found["spans"]]


def hooked(found: dict[str, Any]) -> dict[str, Any]:
    attributes = of_kind("SERVER", found)[0]["attributes"]
    return {name: value for name, value in attributes.items() if name.startswith("hooked.")}


class TestOrder:
    @pytest.mark.parametrize("order", ["stock ours", "ours stock", "ours stock ours", "global stock none"])
    def test_the_spans_are_ours(self, order: str) -> None:
        found = run("wsgi", *order.split())
        assert told(run("wsgi", "ours")) == told(found)
        assert ([spans.OURS], []) == (found["middleware"], found["left"])

    def test_nothing_is_measured_by_stock(self) -> None:
        assert run("wsgi", "stock", opt_in="http")["metrics"]
        assert [] == run("wsgi", "stock", "ours", opt_in="http")["metrics"]

    def test_a_provider_of_its_own_is_left_to_stock(self) -> None:
        found = run("wsgi", "elsewhere", "ours", opt_in="http")
        assert (["work"], ["django", "sqlite3"]) == ([span["name"] for span in found["spans"]], found["left"])
        # Its families have the names of ours: exported twice, they would make a scrape invalid.
        assert [] == [name for name in found["metrics"] if name.startswith("http.server")]

    def test_what_is_disabled_is_left_to_who_calls_it(self) -> None:
        found = run("wsgi", "stock", "no-django", opt_in="http")
        assert ["django"] == found["left"]
        assert [] == [name for name in found["metrics"] if name.startswith("http.server")]
        called = run("wsgi", "global", "no-django", "called-with-hooks")
        assert (HOOKED, [spans.OURS]) == (hooked(called), called["middleware"])

    def test_it_can_be_called_off(self) -> None:
        assert [] == of_kind("SERVER", run("wsgi", "ours", "called-off"))
        again = run("wsgi", "ours", "called-off", "called-with-hooks")
        assert (NAMES, HOOKED) == ([span["name"] for span in of_kind("SERVER", again)], hooked(again))


class TestHooks:
    @pytest.mark.parametrize("server", ["wsgi", "asgi"])
    @pytest.mark.parametrize("order", ["hooks", "stock-with-hooks ours", "ours called-with-hooks", "hooks ours"])
    def test_are_called_however_they_are_given(self, server: str, order: str) -> None:
        assert HOOKED == hooked(run(server, *order.split()))

    def test_that_raise_lose_no_span(self) -> None:
        found = run("wsgi", "refusing-hooks")
        assert told(run("wsgi", "ours")) == told(found)
        expected = {f"spans.{name}_hook: RuntimeError('a hook')" for name in ("request", "response")}
        assert expected == {*found["failures"]}

    def test_excluded_urls_are_taken_over_too(self) -> None:
        found = run("wsgi", "stock-with-hooks", "ours")
        assert [name for name in NAMES if name != "GET health/"] == [each["name"] for each in of_kind("SERVER", found)]


class TestPlace:
    def test_comments_are_inside_of_the_span(self) -> None:
        assert [spans.OURS, COMMENTER] == run("wsgi", "ours", "called-with-comments")["middleware"]

    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            ("common second", ["common", spans.OURS, "csrf"]),
            ("common beyond", [spans.OURS, "common", "csrf"]),
            ("stock common ours", ["common", spans.OURS, "csrf"]),
        ],
    )
    def test_is_where_it_is_wanted(self, order: str, expected: list[str]) -> None:
        found = run("wsgi", *order.split())["middleware"]
        assert expected == [path if path == spans.OURS else path.split(".")[2] for path in found]
