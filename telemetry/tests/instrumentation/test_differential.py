"""The same requests through django-prometheus and through ours: every sample equal, but for a list with reasons."""

from __future__ import annotations

import re

import pytest

from telemetry.tests.instrumentation.replay import Families, replay

VIEWS = "django_http_requests_latency_seconds_by_view_method_count"
STATUS = "django_http_responses_total_by_status_view_method_total"
METHOD = "django_http_requests_total_by_method_total"

SHORT = "short-circuited requests join the views' families: a middleware answered 3 times"
TWICE = "a raising view is one request; they observe its latency twice"
RAW = "an unknown method is no label value; they keep it raw in this family alone"
GONE = "a request that ends without a response is done as well, or it would be in flight for ever"
OUTER = "a request is counted where it arrives: 4 never reach the views, 1 has its method changed on the way"

DIFFERENCES: dict[str, tuple[float | None, float | None, str]] = {
    f"{METHOD}{{method=GET}}": (27, 30, OUTER),
    f"{METHOD}{{method=OPTIONS}}": (None, 1, OUTER),
    f"{METHOD}{{method=POST}}": (2, 3, OUTER),
    f"{METHOD}{{method=DELETE}}": (1, None, OUTER),
    "django_http_requests_total_by_transport_total{transport=http}": (32, 36, OUTER),
    "django_http_responses_before_middlewares_total{}": (36, 37, GONE),
    "django_http_requests_latency_including_middlewares_seconds_count{}": (36, 37, GONE),
    f"{VIEWS}{{method=GET,view=boom}}": (2, 1, TWICE),
    f"{VIEWS}{{method=GET,view=denied}}": (2, 1, TWICE),
    f"{VIEWS}{{method=GET,view=missing}}": (2, 1, TWICE),
    f"{VIEWS}{{method=GET,view=template-broken}}": (2, 1, TWICE),
    f"{VIEWS}{{method=FOO,view=ok}}": (1, None, RAW),
    f"{VIEWS}{{method=BAR,view=<unnamed view>}}": (1, None, RAW),
    f"{VIEWS}{{method=<invalid method>,view=ok}}": (None, 1, RAW),
    f"{VIEWS}{{method=<invalid method>,view=<unnamed view>}}": (None, 1, RAW),
    f"{VIEWS}{{method=GET,view=<unnamed view>}}": (2, 4, SHORT),
    f"{VIEWS}{{method=OPTIONS,view=<unnamed view>}}": (None, 1, SHORT),
    "django_http_responses_total_by_charset_total{charset=utf-8}": (32, 35, SHORT),
    "django_http_responses_total_by_status_total{status=204}": (None, 1, SHORT),
    "django_http_responses_total_by_status_total{status=403}": (2, 3, SHORT),
    "django_http_responses_total_by_status_total{status=500}": (2, 3, SHORT),
    f"{STATUS}{{method=OPTIONS,status=204,view=<unnamed view>}}": (None, 1, SHORT),
    f"{STATUS}{{method=GET,status=403,view=<unnamed view>}}": (None, 1, SHORT),
    f"{STATUS}{{method=GET,status=500,view=<unnamed view>}}": (None, 1, SHORT),
}

ADDED_BODIES = {
    # Four requests without a body that never reach the inner middleware.
    "django_http_requests_body_total_bytes": [0, 0, 0, 0],
    # Three answers of a middleware, and the streams: whole, broken off, a file.
    "django_http_responses_body_total_bytes": [5, 5, 145, 13, 4, 10_000],
}
TIMED = re.compile(r"_seconds(_by_view_method)?_(bucket|sum)\{")


@pytest.fixture(scope="module")
def theirs() -> Families:
    return replay("django_prometheus")


@pytest.fixture(scope="module")
def ours() -> Families:
    return replay("recorder")


class TestAgainstDjangoPrometheus:
    def test_all_families_of_http_and_databases(self, theirs: Families, ours: Families) -> None:
        assert 25 == len(theirs)
        assert set(theirs) == set(ours)

    def test_types_and_help(self, theirs: Families, ours: Families) -> None:
        def described(families: Families) -> dict[str, tuple[str, str]]:
            return {name: (family["type"], family["help"]) for name, family in families.items()}

        assert described(theirs) == described(ours)

    def test_samples(self, theirs: Families, ours: Families) -> None:
        differences = {}
        for name in theirs:
            if name in ADDED_BODIES:
                continue
            left, right = theirs[name]["samples"], ours[name]["samples"]
            for line in sorted({*left, *right}):
                if not TIMED.search(line) and left.get(line) != right.get(line):
                    differences[line] = (left.get(line), right.get(line))
        assert {line: (left, right) for line, (left, right, _) in DIFFERENCES.items()} == differences

    @pytest.mark.parametrize("name", ADDED_BODIES)
    def test_body_sizes(self, name: str, theirs: Families, ours: Families) -> None:
        expected = {}
        for line, value in theirs[name]["samples"].items():
            bound = re.search(r"le=([^}]+)", line)
            if bound:
                value += sum(size <= float(bound[1]) for size in ADDED_BODIES[name])
            else:
                value += sum(ADDED_BODIES[name]) if "_sum" in line else len(ADDED_BODIES[name])
            expected[line] = value
        assert expected == ours[name]["samples"]

    def test_bucket_edges_of_times(self, theirs: Families, ours: Families) -> None:
        def edges(families: Families, name: str) -> set[str]:
            return set(re.findall(r"le=([^,}]+)", " ".join(families[name]["samples"])))

        for name in theirs:
            assert edges(theirs, name) == edges(ours, name), name
