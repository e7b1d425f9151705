"""The same steps on the same caches: bare, under django-prometheus 2.5.0, and under our instrumentation."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from telemetry.tests.instrumentation.cache_script import BACKENDS, DOWN, DOWN_STEPS, STEPS
from telemetry.tests.instrumentation.cache_servers import cache_server, missing

SERVERS = {"memcached": "memcached", "redis": "redis-server", "native_redis": "redis-server"}
NOWHERE = "redis://127.0.0.1:1/0"
Counts = list[int]

NONE = "It takes a cached None for a missing key."
MANY = "It counts get_many only where the backend loops over get."
MADE_OF = "It counts what the backend does to find out: nobody asked for the value."

DIFFERENCES: dict[str, dict[str, tuple[Counts, Counts, str]]] = {
    "locmem": {"get None": ([1, 0, 1, 0], [1, 1, 0, 0], NONE)},
    "filebased": {
        "get None": ([1, 0, 1, 0], [1, 1, 0, 0], NONE),
        "incr": ([2, 2, 0, 0], [0, 0, 0, 0], MADE_OF),
    },
    "memcached": {
        "get None": ([1, 0, 1, 0], [1, 1, 0, 0], NONE),
        "get many": ([0, 0, 0, 0], [3, 2, 1, 0], MANY),
        "get many twice": ([0, 0, 0, 0], [2, 2, 0, 0], MANY),
        "in": ([2, 1, 1, 0], [0, 0, 0, 0], MADE_OF),
    },
    "redis": {
        "get None": ([1, 0, 1, 0], [1, 1, 0, 0], NONE),
        "get many": ([0, 0, 0, 0], [3, 2, 1, 0], MANY),
        "get many twice": ([0, 0, 0, 0], [2, 2, 0, 0], MANY),
    },
    "native_redis": {
        "get None": ([1, 0, 1, 0], [1, 1, 0, 0], NONE),
        "get many": ([0, 0, 0, 0], [3, 2, 1, 0], MANY),
        "get many twice": ([0, 0, 0, 0], [2, 2, 0, 0], MANY),
    },
    "redis_down": {"get many": ([0, 0, 0, 0], [2, 0, 0, 2], MANY)},
    "redis_ignored": {"get many": ([0, 0, 0, 0], [2, 0, 0, 2], MANY)},
    "native_redis_down": {"get many": ([0, 0, 0, 0], [2, 0, 0, 2], MANY)},
}
"""By cache and step: what django-prometheus adds to gets, hits, misses and failures, what is right, and why."""

CHANGED_BY_DJANGO_PROMETHEUS = {"get 0", "get an empty text", "get an empty list", "get False", "get many"}
"""Steps whose value its caches in memory and in files give back wrong: they take what is falsy for nothing."""

Found = dict[str, dict[str, tuple[str, Counts]]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Found]]:
    """By side, cache and step: what was returned, and what was counted."""
    with contextlib.ExitStack() as stack:
        addresses = dict.fromkeys(DOWN, NOWHERE)
        if not missing("memcached"):
            addresses["memcached"] = stack.enter_context(cache_server("memcached")).address
        if not missing("redis-server"):
            redis = stack.enter_context(cache_server("redis-server"))
            addresses |= {"redis": f"redis://{redis.address}/0", "native_redis": f"redis://{redis.address}/1"}
        yield {
            side: _run(side, str(tmp_path_factory.mktemp(side)), *(f"{name}={at}" for name, at in addresses.items()))
            for side in ("bare", "theirs", "ours")
        }


def _run(*arguments: str) -> Any:
    script = "telemetry.tests.instrumentation.cache_script"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", script, *arguments], capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("alias", [*BACKENDS, *DOWN])
class TestCaches:
    @pytest.fixture(autouse=True)
    def needs_a_server(self, alias: str) -> None:
        if alias in SERVERS and missing(SERVERS[alias]):
            pytest.skip(missing(SERVERS[alias]))

    def test_count_as_django_prometheus_but_for_its_defects(self, found: dict[str, Found], alias: str) -> None:
        theirs, ours = found["theirs"][alias], found["ours"][alias]
        differences = {step: (counts, ours[step][1]) for step, (_, counts) in theirs.items() if counts != ours[step][1]}
        assert {step: (old, new) for step, (old, new, _) in DIFFERENCES[alias].items()} == differences

    def test_count_a_hit_a_miss_or_a_failure_for_each_get(self, found: dict[str, Found], alias: str) -> None:
        counted = [counts for _, counts in found["ours"][alias].values()]
        assert len(DOWN_STEPS if alias in DOWN else STEPS) == len(counted)
        assert sum(gets for gets, *_ in counted) > 0
        for gets, hits, misses, fails in counted:
            assert gets == hits + misses + fails

    def test_return_what_they_return_bare(self, found: dict[str, Found], alias: str) -> None:
        bare, theirs, ours = (found[side][alias] for side in ("bare", "theirs", "ours"))
        assert {step: value for step, (value, _) in bare.items()} == {step: value for step, (value, _) in ours.items()}
        changed = {step for step, (value, _) in theirs.items() if value != bare[step][0]}
        assert (CHANGED_BY_DJANGO_PROMETHEUS if alias in ("locmem", "filebased") else set()) == changed
