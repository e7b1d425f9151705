"""One process's reader sees what all processes recorded: the living, the ended, and the killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]

SCRIPT = """
import json, os, signal, sys
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import Counter, Histogram
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from prometheus_client import CollectorRegistry, generate_latest
from telemetry.sdk.families import families
from telemetry.sdk.prometheus_reader import StorePrometheusReader
from telemetry.sdk.provider import StoreMeterProvider
from telemetry.store import open_store
from telemetry.tests.sdk.compare import plain

CHILDREN = 4
store = open_store(("test",), sys.argv[1])
registry = CollectorRegistry()
delta = InMemoryMetricReader({Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA})
reader = InMemoryMetricReader()
views = [
    View(instrument_name="spread", aggregation=ExponentialBucketHistogramAggregation()),
    View(instrument_name="viewed", name="renamed", attribute_keys={"a"}),
]
provider = StoreMeterProvider(
    [reader, delta, StorePrometheusReader(registry)], store=store, views=views, shutdown_on_exit=False
)
meter = provider.get_meter("scope", "1", attributes={"k": 1})
who = 0
counter = meter.create_counter("requests", unit="1", description="How many")
active = meter.create_up_down_counter("active")
meter.create_observable_counter("seen", [lambda options: [Observation(10 * (who + 1))]])
meter.create_observable_up_down_counter("pool", [lambda options: [Observation(2)]])
meter.create_observable_gauge("load", [lambda options: [Observation(who)]])
counter.add(100, {"from": "parent", "n": 1})


def child(number, ready, go):
    global who
    who = number
    counter.add(number, {"from": "child", "n": True})
    active.add(1)
    # Instruments that the parent never creates.
    meter.create_histogram("lazy", unit="s", explicit_bucket_boundaries_advisory=[1, 2]).record(number)
    meter.create_histogram("spread").record(2.0**number)
    meter.create_counter("viewed", description="A view").add(1, {"a": "x", "b": number})
    meter.create_gauge("last").set(number)
    provider.publish()
    os.write(ready, b".")
    os.read(go, 1)
    store.close()
    os._exit(0)


def found():
    by_name = {}
    for which, each in (("cumulative", reader), ("delta", delta)):
        for name, points in plain(each.get_metrics_data()).items():
            by_name.setdefault(name[1][0], {})[which] = [[str(key), repr_of(point)] for key, point in points.items()]
    page = generate_latest(registry).decode()
    shown = {}
    provider.publish()
    for item in families(provider, store.read()):
        for labels, value in item.series:
            shown[item.family.name + str(labels)] = value if isinstance(value, float) else [value.counts, value.sum]
    return {"metrics": by_name, "page": page, "families": shown}


def repr_of(point):
    names = ("value", "count", "sum", "bucket_counts", "min", "max", "scale")
    kept = {name: point[name] for name in names if name in point}
    if "positive" in point:
        kept["positive"] = [point["positive"].offset, list(point["positive"].bucket_counts)]
    return kept


answers, goes, pids = [], [], []
for number in range(1, CHILDREN + 1):
    (ready, readied), (waiting, go) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ready), os.close(go)
        child(number, readied, waiting)
    os.close(readied), os.close(waiting)
    os.read(ready, 1)  # one after the other: the last gauge is the last child's
    pids.append(pid)
    goes.append(go)
answers.append(found())
for number, (pid, go) in enumerate(zip(pids, goes)):
    if number % 2:
        os.kill(pid, signal.SIGKILL)
    else:
        os.write(go, b".")
    os.waitpid(pid, 0)
answers.append(found())
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the parent of four processes sees while they live, and after they ended (two by SIGKILL)."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path_factory.mktemp("store")],
        env={**environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    found: list[dict[str, Any]] = json.loads(ran.stdout)
    return found


def one(answer: dict[str, Any], name: str, which: str = "cumulative") -> dict[str, Any]:
    ((_, point),) = answer["metrics"][name][which]
    assert isinstance(point, dict)
    return point


class TestProcesses:
    def test_counters_are_summed_and_what_was_counted_before_the_fork_counts_once(self, answers: Any) -> None:
        for answer in answers:
            assert answer["metrics"]["requests"]["cumulative"] == [
                ["(('from', ('str', 'parent')), ('n', ('int', '1')))", {"value": 100}],
                ["(('from', ('str', 'child')), ('n', ('bool', 'True')))", {"value": 1 + 2 + 3 + 4}],
            ]

    def test_instruments_of_other_processes_only(self, answers: Any) -> None:
        for answer in answers:
            assert one(answer, "lazy") == {
                "count": 4,
                "sum": 10.0,
                "bucket_counts": [1, 1, 2],
                "min": 1.0,
                "max": 4.0,
            }
            assert one(answer, "spread") == {
                "count": 4,
                "sum": 30.0,
                "min": 2.0,
                "max": 16.0,
                "scale": 3,
                "positive": [7, [1, *[0] * 7, 1, *[0] * 7, 1, *[0] * 7, 1]],
            }
            assert one(answer, "last") == {"value": 4.0}
            assert one(answer, "renamed") == {"value": 4.0}

    def test_up_down_counters_are_those_of_the_living(self, answers: Any) -> None:
        alive, ended = answers
        assert one(alive, "active") == {"value": 4.0}
        assert "active" not in ended["metrics"]
        assert one(alive, "pool") == {"value": 2.0 * 5}
        assert one(ended, "pool") == {"value": 2.0}

    def test_observed_counters_keep_what_the_ended_told(self, answers: Any) -> None:
        for answer in answers:
            assert one(answer, "seen") == {"value": 10.0 + 20 + 30 + 40 + 50}

    def test_a_gauge_of_the_service_is_asked_where_it_is_collected(self, answers: Any) -> None:
        for answer in answers:
            assert one(answer, "load") == {"value": 0}

    def test_deltas_of_all_processes(self, answers: Any) -> None:
        first, second = answers
        assert first["metrics"]["requests"]["delta"] == first["metrics"]["requests"]["cumulative"]
        assert one(first, "lazy", "delta") == one(first, "lazy")
        assert not {"delta"} & {*second["metrics"]["requests"], *second["metrics"]["lazy"]}

    def test_the_registry_and_the_families_show_the_same(self, answers: Any) -> None:
        for answer in answers:
            page = answer["page"].splitlines()
            assert 'requests_total{from="child",n="true"} 10.0' in page
            assert "# HELP requests_total How many" in page
            assert "lazy_seconds_sum 10.0" in page
            assert 'lazy_seconds_bucket{le="2.0"} 2.0' in page
            assert "# HELP renamed_total A view" in page
            families = answer["families"]
            assert families["requests_total(('from', 'child'), ('n', 'true'))"] == 10
            assert families["lazy_seconds()"] == [[1, 1, 2], 10]
            assert families["renamed_total(('a', 'x'),)"] == 4
            assert families["last()"] == 4
