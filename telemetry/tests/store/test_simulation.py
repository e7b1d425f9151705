"""Writers and reapers killed at random, on the real code: no total falls, nothing is lost or counted twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from telemetry.tests.store.processes import CHECKOUT
from telemetry.tests.store.simulation import WRITERS


def simulate(directory: Path, seconds: float, seed: int, *more: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "telemetry.tests.store.simulation", str(directory), str(seconds), str(seed), *more],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=seconds + 60,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    seen = json.loads(done.stdout)
    assert isinstance(seen, dict)
    return seen


def check(seen: dict[str, Any]) -> None:
    wrong = {name: seen[name] for name in ("falls", "short", "over", "corrupt", "conflicts") if seen[name]}
    assert {} == wrong, seen
    for name in ("counter", "times"):
        assert seen["made"] <= seen[name] <= seen["begun"], seen
    assert 0.0 == seen["in_flight"]
    assert seen["most_files"] <= WRITERS + 6
    assert {0, 1} >= set(seen["generations"])
    assert 3 == len(seen["files_at_the_end"]), seen


class TestSimulation:
    def test_some_hundred_kills(self, tmp_path: Path) -> None:
        seen = simulate(tmp_path, 8, seed=1)
        check(seen)
        assert seen["kills"] > 100

    def test_with_the_locks_of_other_systems(self, tmp_path: Path) -> None:
        seen = simulate(tmp_path, 5, 1, "flock")
        check(seen)
        assert seen["kills"] > 50

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", [2, 3, 4])
    def test_some_thousand_kills(self, tmp_path: Path, seed: int) -> None:
        seen = simulate(tmp_path, 40, seed)
        check(seen)
        assert seen["kills"] > 500
