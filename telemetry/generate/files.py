"""The generated files of the checkout: what they must hold, and what is wrong with what they ask."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

from telemetry.business import measures
from telemetry.errors import SpecError
from telemetry.generate import dashboards, metric_tests, page, promql
from telemetry.generate.families import OWN, entries
from telemetry.generate.tables import tables

PAGE = Path("docs/PROMETHEUS_METRICS.md")
DASHBOARDS = Path("docs/grafana")
TESTS = Path("upstream/tests/test_metrics_generated.py")


def generate(root: Path) -> dict[Path, str]:
    """The text of every generated file of the checkout at `root`, by its path in it.

    Raises:
        SpecError: the page has not the markers that it needs, or a metric cannot be called by a name.
        OSError: the page cannot be read.
    """
    sections = entries()
    filled = page.fill((root / PAGE).read_text(encoding="utf-8"), tables(sections))
    tests = metric_tests.module(measure for measure in measures().values() if measure.owner != OWN)
    boards = {DASHBOARDS / name: text for name, text in dashboards.dashboards(sections).items()}
    return {PAGE: filled, TESTS: tests} | boards


def differences(root: Path, files: Mapping[Path, str]) -> list[Path]:
    """The files of the checkout that do not hold what they must, and dashboards that nothing generates."""
    stray = {path.relative_to(root) for path in (root / DASHBOARDS).glob("*.json")} - files.keys()
    return sorted(stray.union(path for path, text in files.items() if _read(root / path) != text))


def wrong_expressions(files: Mapping[Path, str]) -> list[str]:
    """A line for each PromQL of the page and the dashboards that cannot answer: where it is, and why."""
    known = promql.names(itertools.chain(*entries().values()))
    wrong = []
    for path, text in files.items():
        if path == TESTS:
            continue
        asked = page.expressions(text) if path == PAGE else dashboards.expressions(text)
        for place, expression in asked:
            try:
                promql.check(expression, known)
            except SpecError as error:
                wrong.append(f"{path}, {place if isinstance(place, str) else f'line {place}'}: {error}")
    return wrong


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
