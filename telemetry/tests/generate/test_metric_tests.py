"""What is written for metrics of every shape."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Annotated, Any, Literal

import pytest

from telemetry.business import Measure, _declare, alerts, measures
from telemetry.business._about import About
from telemetry.business._declare import counter, histogram, score
from telemetry.business._fit import Text
from telemetry.business.labels import Product
from telemetry.errors import SpecError
from telemetry.generate import metric_tests
from telemetry.tests.business.harness import Scrape, scrape

ABOUT: About = {"owner": "o", "unit": "{thing}", "question": "Why?"}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> dict[str, Measure[...]]:
    """Metrics without labels, with one bucket, with a text of two characters, and with a label's value `other`."""
    monkeypatch.setattr(_declare, "_measures", {_declare.DROPPED.name: _declare.DROPPED})

    @counter("bare", **ABOUT)
    def BARE() -> None:
        """Help."""

    @histogram("one_bucket", 4, **ABOUT)
    def ONE_BUCKET(*, code: Annotated[str, Text(length=2, values=5)]) -> None:
        """Help."""

    @score("level", **ABOUT)
    def LEVEL(*, kind: Literal["a", "other"], product: Product) -> None:
        """Help."""

    here = sys.modules[__name__]
    found: dict[str, Measure[...]] = {"BARE": BARE, "ONE_BUCKET": ONE_BUCKET, "LEVEL": LEVEL}
    for name, measure in found.items():
        monkeypatch.setattr(here, name, measure, raising=False)
    return found


@pytest.fixture
def page() -> Iterator[Scrape]:
    with scrape() as found:
        yield found


def classes(source: str) -> dict[str, Any]:
    """The test classes of a generated module."""
    made = ModuleType("generated")
    exec(compile(source, "generated", "exec", dont_inherit=True), vars(made))
    return {name: value for name, value in vars(made).items() if name.startswith("Test")}


class TestModule:
    def test_every_shape_has_tests_that_pass(self, few: dict[str, Measure[...]]) -> None:
        found = {
            (name, test): getattr(made(), test)
            for name, made in classes(metric_tests.module(few.values())).items()
            for test in vars(made)
            if test.startswith("test_")
        }
        assert {
            ("TestBare", "test_is_shown_as_declared"),
            ("TestOneBucket", "test_is_shown_as_declared"),
            ("TestLevel", "test_is_shown_as_declared"),
            ("TestLevel", "test_kind_takes_no_other_value"),
            ("TestLevel", "test_product_takes_no_other_value"),
        } == found.keys()
        for test in found.values():
            with scrape() as page:
                test(page)

    @pytest.mark.parametrize("broken", ["BARE", "ONE_BUCKET", "LEVEL"])
    def test_they_fail_where_a_metric_is_not_as_declared(
        self, few: dict[str, Measure[...]], broken: str, page: Scrape, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = classes(metric_tests.module([few[broken]]))
        monkeypatch.setattr(few[broken], "_record", lambda value, labels: None)
        ((_, found),) = made.items()
        with pytest.raises(KeyError, match=few[broken].family.name):
            found().test_is_shown_as_declared(page)

    def test_they_fail_where_any_value_is_taken(
        self, few: dict[str, Measure[...]], page: Scrape, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = classes(metric_tests.module([few["LEVEL"]]))["TestLevel"]
        monkeypatch.setattr("telemetry.business._fit.Label.check", lambda label, given: str(given))
        with pytest.raises(AssertionError):
            found().test_kind_takes_no_other_value(page)

    def test_a_wrong_value_is_one_that_the_label_has_not(self, few: dict[str, Measure[...]]) -> None:
        assert 'kind="other_",  # type: ignore[arg-type]\n' in metric_tests.module(few.values())

    def test_is_the_same_each_time(self) -> None:
        assert metric_tests.module(measures().values()) == metric_tests.module(measures().values())

    def test_refuses_two_modules_of_one_name(
        self, few: dict[str, Measure[...]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(few["BARE"], "module", "upstream.alerts")
        with pytest.raises(SpecError, match=r"'telemetry\.business\.alerts' and 'upstream\.alerts' .* have one name"):
            metric_tests.module([few["BARE"], alerts.ALERT_CREATED])
