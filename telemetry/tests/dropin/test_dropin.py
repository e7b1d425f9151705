"""Whoever replaces django-prometheus finds every family again: on the real pages of one site after one script."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from telemetry.tests.dropin import differences
from telemetry.tests.dropin.differences import ONLY_OURS, REQUESTS, RESPONSES
from telemetry.tests.dropin.page import Page, changes, labels, series, with_bodies
from telemetry.tests.dropin.sites import Pages, Site

# They are right in one process alone; ours may be many.
GUNICORN = Site("telemetry", "gunicorn", workers=3)
UVICORN = Site("telemetry", "uvicorn", workers=2)
OURS = {
    "gunicorn": GUNICORN,
    "uvicorn": UVICORN,
    "gunicorn, old names": replace(GUNICORN, stack="compat"),
    "gunicorn, namespace and buckets": replace(GUNICORN, namespace="acme", buckets=(0, 0.05, 1, 2.5, 10)),
}
SLOW = {
    "gunicorn, one worker": replace(GUNICORN, workers=1),
    "uvicorn, one worker": replace(UVICORN, workers=1),
    "uvicorn, old names": replace(UVICORN, stack="compat"),
    "gunicorn, old names, namespace and buckets": replace(
        GUNICORN, stack="compat", namespace="acme", buckets=(1, "inf")
    ),
    "uvicorn, namespace and buckets": replace(UVICORN, namespace="acme", buckets=(0.002, 0.5, 3, "inf")),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """The pages of one site under both."""

    server: str
    theirs: Page
    ours: Page


@pytest.fixture(
    scope="module",
    params=[
        *(pytest.param(site, id=name) for name, site in OURS.items()),
        *(pytest.param(site, id=name, marks=pytest.mark.slow) for name, site in SLOW.items()),
    ],
)
def pair(request: pytest.FixtureRequest, pages: Pages) -> Pair:
    ours: Site = request.param
    return Pair(ours.server, pages.of(replace(ours, stack="django_prometheus", workers=1)), pages.of(ours))


class TestEveryFamily:
    def test_all_are_there(self, pair: Pair) -> None:
        assert 34 == len(pair.theirs)
        assert pair.theirs.keys() | ONLY_OURS.keys() == pair.ours.keys()

    def test_types_and_help(self, pair: Pair) -> None:
        def described(page: Page) -> dict[str, tuple[str, str]]:
            return {name: (page[name].type, page[name].help) for name in pair.theirs}

        assert described(pair.theirs) == described(pair.ours)

    def test_labels(self, pair: Pair) -> None:
        for name in pair.theirs:
            assert labels(pair.theirs[name]) == labels(pair.ours[name]), name

    def test_edges(self, pair: Pair) -> None:
        def edges(page: Page) -> dict[str, set[tuple[str, ...]]]:
            histograms = (name for name in pair.theirs if page[name].type == "histogram")
            return {name: {tuple(each.buckets) for each in series(name, page[name])} for name in histograms}

        assert [1] * 5 == [len(found) for found in edges(pair.theirs).values()]
        assert edges(pair.theirs) == edges(pair.ours)

    def test_counts(self, pair: Pair) -> None:
        expected: Counter[str] = Counter()
        for each in differences.of(pair.server):
            expected.update(each.changes)
        found = changes(pair.theirs, pair.ours)
        assert dict(expected) == {key: more for key, more in found.items() if not key.startswith((REQUESTS, RESPONSES))}

    @pytest.mark.parametrize("name", [REQUESTS, RESPONSES])
    def test_sizes(self, name: str, pair: Pair) -> None:
        besides = [size for each in differences.of(pair.server) for size in each.bodies.get(name, ())]
        assert with_bodies(pair.theirs[name].samples, besides) == pair.ours[name].samples

    def test_buckets_count_and_sum_agree(self, pair: Pair) -> None:
        """Times are no two runs' the same; what is said of them must hold together."""
        found = [
            each for name in pair.ours if pair.ours[name].type == "histogram" for each in series(name, pair.ours[name])
        ]
        assert found
        for each in found:
            bounds, counts = [float(bound) for bound in each.buckets], list(each.buckets.values())
            own = [count - before for before, count in pairwise([0.0, *counts])]
            assert min(own) >= 0
            assert each.count == each.buckets["+Inf"]
            above = [0.0, *bounds[:-1]]
            assert sum(count * bound for count, bound in zip(own, above, strict=True)) <= each.sum
            assert sum(count * bound for count, bound in zip(own, bounds, strict=True) if count) >= each.sum
