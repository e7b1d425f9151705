"""Labels of a site's own: the documented subclasses on both packages agree, but for the defects of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from telemetry.tests.compat.replay import OURS, THEIRS, replay
from telemetry.tests.instrumentation.replay import Families

SOURCE = "site_labels.py.txt"
LATENCY = "django_http_requests_latency_seconds_by_view_method_count"

DIFFERENCES: dict[str, tuple[float | None, float | None]] = {
    # An exception was observed a second time, before there was a response.
    **{
        f"{LATENCY}{{agent=-,method=GET,view={view},view_type=none}}": (1.0, None)
        for view in ("boom", "denied", "missing", "template-broken")
    },
    # The latency had any method that a client makes up as a label.
    f"{LATENCY}{{agent=-,method=BAR,view=<unnamed view>,view_type=HttpResponseNotFound}}": (1.0, None),
    f"{LATENCY}{{agent=-,method=FOO,view=ok,view_type=HttpResponse}}": (1.0, None),
    f"{LATENCY}{{agent=-,method=<invalid method>,view=<unnamed view>,view_type=HttpResponseNotFound}}": (None, 1.0),
    f"{LATENCY}{{agent=-,method=<invalid method>,view=ok,view_type=HttpResponse}}": (None, 1.0),
    # A request that ended without any response was never done.
    "django_http_requests_latency_including_middlewares_seconds_count{}": (36.0, 37.0),
    "django_http_responses_before_middlewares_total{}": (36.0, 37.0),
    # The three streams had no size.
    "django_http_responses_body_total_bytes_bucket{le=10.0}": (19.0, 20.0),
    "django_http_responses_body_total_bytes_bucket{le=100.0}": (20.0, 22.0),
    "django_http_responses_body_total_bytes_bucket{le=+Inf}": (30.0, 33.0),
    "django_http_responses_body_total_bytes_count{}": (30.0, 33.0),
}
"""By sample: django-prometheus's value and the right one."""
SIZES = "django_http_responses_body_total_bytes_sum{}"
STREAMED = 10017.0
"""Bytes of the three streams; the rest of the sum is Django's own pages too, whose texts change with its version."""


def samples(families: Families, prefix: str) -> dict[str, float]:
    """All samples but the times, which differ from run to run."""
    return {
        sample.removeprefix(prefix): value
        for name, family in families.items()
        for sample, value in family["samples"].items()
        if "latency" not in name or "_count{" in sample
    }


def edges(families: Families) -> set[str]:
    return {sample for family in families.values() for sample in family["samples"] if "_bucket{le=" in sample}


class TestSiteLabels:
    @pytest.mark.parametrize(
        ("options", "settings", "prefix"),
        [
            ((), {}, ""),
            (("--async",), {}, ""),
            ((), {"PROMETHEUS_METRIC_NAMESPACE": "corp", "PROMETHEUS_LATENCY_BUCKETS": [0.1, 1.0]}, "corp_"),
        ],
        ids=["sync", "async", "namespace"],
    )
    def test_both_packages_agree_but_for_the_defects(
        self, options: tuple[str, ...], settings: dict[str, Any], prefix: str, tmp_path: Path
    ) -> None:
        theirs = replay(THEIRS, SOURCE, tmp_path, *options, **settings)
        ours = replay(OURS, SOURCE, tmp_path, *options, **settings)
        described = [
            {name: (family["type"], family["help"]) for name, family in families.items()} for families in (theirs, ours)
        ]
        assert described[0] == described[1]
        assert len(ours) == 21
        assert edges(theirs) == edges(ours)
        their, our = samples(theirs, prefix), samples(ours, prefix)
        assert STREAMED == our.pop(SIZES) - their.pop(SIZES)
        differing = {name for name in their.keys() | our.keys() if their.get(name) != our.get(name)}
        assert DIFFERENCES == {name: (their.get(name), our.get(name)) for name in differing}
