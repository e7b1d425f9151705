"""The dashboards as they are checked in."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from telemetry.generate import dashboards, files
from telemetry.generate.families import Section, entries
from telemetry.tests.servers.harness import CHECKOUT

PATHS = sorted((CHECKOUT / files.DASHBOARDS).glob("*.json"))
each = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)


def test_there_are_five_of_their_own() -> None:
    names = ["business.json", "database.json", "requests_by_view.json", "service.json", "tasks.json"]
    assert names == [path.name for path in PATHS]
    read = [json.loads(path.read_text()) for path in PATHS]
    assert 5 == len({dashboard["uid"] for dashboard in read}) == len({dashboard["title"] for dashboard in read})


@each
def test_grafanas_own_reader_loses_nothing(path: Path) -> None:
    register_default_plugins()
    read = Dashboard.from_json(json.loads(path.read_text()))
    assert json.loads(path.read_text()) == json.loads(JSONEncoder().encode(read))


@each
def test_no_panel_covers_another(path: Path) -> None:
    cells = [_cells(panel["gridPos"]) for panel in json.loads(path.read_text())["panels"]]
    assert all(0 <= x < 24 for found in cells for x, _ in found)
    assert [] == [both for one, other in itertools.combinations(cells, 2) if (both := one & other)]


@each
def test_every_panel_says_what_it_shows(path: Path) -> None:
    for panel in json.loads(path.read_text())["panels"]:
        if panel["type"] != "row":
            assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"]
            assert "${datasource}" == panel["datasource"]["uid"]
            assert panel["targets"]


@each
def test_every_query_is_of_the_job_chosen(path: Path) -> None:
    """But for the choice of the job itself."""
    for place, expression in dashboards.expressions(path.read_text()):
        selectors = _selectors(expression)
        assert selectors
        chosen = [{(m.name, m.value) for m in selector.matchers.matchers} for selector in selectors]
        assert place == "variable 'job'" or all(("job", "django-upstream") in matchers for matchers in chosen), place


@each
def test_lines_of_a_histogram_and_no_others_ask_for_exemplars(path: Path) -> None:
    """A single number has no place for points."""
    for panel in json.loads(path.read_text())["panels"]:
        for target in panel.get("targets", ()):
            buckets = panel["type"] == "timeseries" and "_bucket{" in target["expr"]
            assert buckets == target.get("exemplar", False), panel["title"]


@each
def test_every_variable_is_there(path: Path) -> None:
    text = path.read_text()
    variables = {variable["name"] for variable in json.loads(text)["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", text)) - {"__rate_interval"}
    assert variables == used


def test_every_business_family_has_a_panel() -> None:
    asked = " ".join(
        expression
        for _, expression in dashboards.expressions((CHECKOUT / files.DASHBOARDS / "business.json").read_text())
    )
    assert [] == [
        entry.family.name
        for entry in entries()[Section.BUSINESS]
        if not re.search(rf"\b{entry.family.name}(_bucket)?\{{", asked)
    ]


def _cells(where: dict[str, int]) -> set[tuple[int, int]]:
    columns, lines = range(where["x"], where["x"] + where["w"]), range(where["y"], where["y"] + where["h"])
    return set(itertools.product(columns, lines))


def _selectors(expression: str) -> list[promql_parser.VectorSelector]:
    found = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found
