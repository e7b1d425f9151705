"""Grafana's dashboards (schema of Grafana 11.6) as code; what they ask is checked like the page's PromQL."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from telemetry.generate.dashboards import business, database, service, tasks, views
from telemetry.generate.families import Entry, Section

__all__ = ["dashboards", "expressions"]

_LABEL_VALUES = re.compile(r"label_values\((?P<metric>.+), (?P<label>\w+)\)")


def dashboards(sections: Mapping[Section, Sequence[Entry]]) -> dict[str, str]:
    """Every dashboard as JSON, by the name of its file."""
    built = {
        "service.json": service.build(),
        "requests_by_view.json": views.build(),
        "database.json": database.build(),
        "tasks.json": tasks.build(),
        "business.json": business.build(sections[Section.BUSINESS]),
    }
    return {name: _encode(dashboard) for name, dashboard in built.items()}


def expressions(text: str) -> Iterator[tuple[str, str]]:
    """Each place of a dashboard that asks, and what it asks, as PromQL with its variables filled in."""
    dashboard = json.loads(text)
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            asked = _LABEL_VALUES.fullmatch(variable["query"])
            promql = f"count by ({asked['label']}) ({asked['metric']})" if asked else variable["query"]
            yield f"variable {variable['name']!r}", _filled(promql)
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield f"panel {panel['title']!r}, query {target['refId']}", _filled(target["expr"])


def _filled(expression: str) -> str:
    """What Grafana would send with all values chosen, for the job of the page."""
    expression = expression.replace("$__rate_interval", "1m").replace('"$job"', '"django-upstream"')
    return re.sub(r'"\$\w+"', '".*"', expression)


def _encode(dashboard: Dashboard) -> str:
    return JSONEncoder(sort_keys=True, indent=2).encode(dashboard.build()) + "\n"
