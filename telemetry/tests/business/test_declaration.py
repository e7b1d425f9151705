"""What a declaration refuses, and what it reads from a signature."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal

import pytest

from telemetry.business import _declare
from telemetry.business._about import About
from telemetry.business._declare import Counter, Histogram, counter, histogram, score
from telemetry.business._fit import Text
from telemetry.business.labels import Product
from telemetry.errors import SpecError
from telemetry.tests.business.harness import scrape

ABOUT: About = {"owner": "o", "unit": "{thing}", "question": "Why?"}


class TestDeclaration:
    @pytest.fixture(autouse=True)
    def forget(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_declare, "_measures", dict(_declare._measures))

    def test_refuses_a_taken_name(self) -> None:
        with pytest.raises(SpecError, match="'upstream_alert_created' is declared twice"):
            counter("upstream_alert_created", **ABOUT)(_labels)

    def test_refuses_a_missing_help(self) -> None:
        def labels(*, product: Product) -> None:
            pass

        with pytest.raises(SpecError, match="'some': the help is missing"):
            counter("some", **ABOUT)(labels)

    @pytest.mark.parametrize("missing", ABOUT)
    @pytest.mark.parametrize("given", ["nothing", "", " ", None])
    @pytest.mark.parametrize("declare", [counter, histogram, score])
    def test_refuses_what_does_not_say_who_what_and_why(
        self, declare: Callable[..., Any], missing: str, given: str | None
    ) -> None:
        about: dict[str, Any] = {**ABOUT, missing: given}
        if given == "nothing":
            del about[missing]
        buckets = (1.0,) if declare is histogram else ()
        with pytest.raises(SpecError, match=f"'some': the {missing} is missing; give owner, unit, question"):
            declare("some", *buckets, **about)(_labels)

    def test_refuses_what_is_no_part_of_a_declaration(self) -> None:
        about: dict[str, Any] = {**ABOUT, "series": 5}
        with pytest.raises(SpecError, match="'some': series is unknown; valid: owner, unit, question"):
            counter("some", **about)(_labels)

    def test_refuses_a_question_that_is_none(self) -> None:
        about: About = {**ABOUT, "question": "How many there are."}
        with pytest.raises(SpecError, match=r"'some': the question 'How many there are\.' does not end with"):
            counter("some", **about)(_labels)

    @pytest.mark.parametrize(
        ("name", "unit", "why"),
        [
            ("some", "seconds", "the unit is 'seconds'; valid: 's', 'By', '1', or what is counted"),
            ("some", "{}", "the unit is '{}'; valid"),
            ("some", "s", r"the unit is 's'; metrics named \*_seconds, and only they, have 's'"),
            ("some_bytes", "{thing}", r"the unit is '{thing}'; metrics named \*_bytes, and only they, have 'By'"),
        ],
    )
    def test_refuses_a_unit_that_is_none_or_not_in_the_name(self, name: str, unit: str, why: str) -> None:
        about: About = {**ABOUT, "unit": unit}
        with pytest.raises(SpecError, match=f"{name!r}: {why}"):
            counter(name, **about)(_labels)

    @pytest.mark.parametrize(("name", "unit"), [("some_seconds", "s"), ("some_bytes", "By"), ("some", "1")])
    def test_takes_units(self, name: str, unit: str) -> None:
        about: About = {**ABOUT, "unit": unit}
        assert unit == histogram(name, 1, 2, **about)(_labels).unit

    def test_refuses_a_positional_label(self) -> None:
        def labels(product: Product) -> None:
            """Help."""

        with pytest.raises(SpecError, match="label 'product' must be keyword-only"):
            counter("some", **ABOUT)(labels)

    @pytest.mark.parametrize(
        ("annotation", "why"),
        [
            (str, "is annotated .* give a StrEnum, Literal.* or Annotated"),
            (Enum, "is annotated .* give a StrEnum"),
            (Annotated[str, "text"], "is annotated .* give a StrEnum"),
            (Annotated[int, Text(length=3, values=7)], "is annotated .* give a StrEnum"),
            (Annotated[str, Text(length=0, values=7)], "length is 0; give a whole number of at least 1"),
            (Annotated[str, Text(length=3, values=0)], "values is 0; give a whole number of at least 1"),
            (StrEnum, r"has the values \[\]; give one or more texts"),
            (Literal["a", 2], r"has the values \['a', 2\]; give one or more texts"),
            (Literal["a", ""], r"has the values \['a', ''\]; give one or more texts, none of them empty"),
        ],
    )
    def test_refuses_a_label_without_bounds(self, annotation: Any, why: str) -> None:
        def labels(*, kind: Any) -> None:
            """Help."""

        labels.__annotations__["kind"] = annotation
        with pytest.raises(SpecError, match=f"'some': label 'kind'.* {why}"):
            counter("some", **ABOUT)(labels)

    @pytest.mark.parametrize("annotation", ["Annotated[str, Text(length=3)]", "Unknown"])
    def test_refuses_types_that_cannot_be_read(self, annotation: str) -> None:
        def labels(*, kind: Any) -> None:
            """Help."""

        labels.__annotations__["kind"] = annotation
        with pytest.raises(SpecError, match=r"'some': the types of its labels cannot be read: .*(values|Unknown)"):
            counter("some", **ABOUT)(labels)

    def test_refuses_buckets_that_fall(self) -> None:
        with pytest.raises(SpecError, match="must rise strictly"):
            histogram("some", 2, 1, **ABOUT)(_labels)

    def test_refuses_a_histogram_without_buckets(self) -> None:
        with pytest.raises(SpecError, match="'some': a histogram needs buckets"):
            histogram("some", **ABOUT)(_labels)

    def test_reads_the_signature(self) -> None:
        def labels(
            *, product: Product, kind: Literal["a", "b"], text: Annotated[str, Text(length=3, values=7)]
        ) -> None:
            """Help."""

        made = counter("some", **ABOUT)(labels)
        assert isinstance(made, Counter)
        assert not isinstance(made, Histogram)
        assert ("product", "kind", "text") == made.family.labels
        assert "some_total" == made.family.name
        assert 3 * 2 * 7 == made.series_budget
        assert {"text": 7} == made.budgets
        assert [Product, None, None] == [label.enum for label in made.labels.values()]
        assert ("a", "b") == made.labels["kind"].values

    @pytest.mark.parametrize(
        ("value", "reason"),
        [("c", "unknown_value"), ("", "unknown_value"), (1, "not_a_string"), (None, "not_a_string")],
    )
    def test_drops_and_counts_what_is_no_literal(self, value: object, reason: str) -> None:
        def labels(*, kind: Literal["a", "b"]) -> None:
            """Help."""

        made = counter("some", **ABOUT)(labels)
        with scrape() as page:
            made.add(kind="b")
            made.offer(1, kind=value)
            assert 1 == page.value("some_total", kind="b")
            assert 1 == page.value("telemetry_measurements_dropped_total", family="some_total", reason=reason)
            assert 2 == len(page.samples())

    def test_drops_a_label_without_a_name(self) -> None:
        made = counter("some", **ABOUT)(_labels)
        with scrape() as page:
            made.offer(1, "stray", product="DriftWatch")
            assert 1 == page.value("telemetry_measurements_dropped_total", family="some_total", reason="wrong_labels")
            assert 1 == len(page.samples())


def _labels(*, product: Product) -> None:
    """Help."""
