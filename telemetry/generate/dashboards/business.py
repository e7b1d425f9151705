"""Upstream's business: one panel for each declared metric, titled by its help, described by its question."""

from __future__ import annotations

from collections.abc import Iterable

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.builders.timeseries import Panel

from telemetry.generate.dashboards._panels import JOB, board, last_hour, lines, variable
from telemetry.generate.families import Entry
from telemetry.spec import FamilyType

_CUSTOMER = "customer_id"
_UNITS = {"s": "s", "By": "bytes"}
"""What Grafana calls the units of the declarations."""
_CHOSEN = f'{_CUSTOMER}=~"$customer_id"'


def build(entries: Iterable[Entry]) -> Dashboard:
    """A row for each owner, with a panel for each of its metrics; by the hour, because its events are rare."""
    dashboard = board(
        "business", "Upstream / Business", "What the product does for its customers: one panel for each metric."
    ).with_variable(variable(_CUSTOMER, "upstream_api_endpoint_calls_total"))
    owned: dict[str, list[Entry]] = {}
    for entry in entries:
        owned.setdefault(entry.owner, []).append(entry)
    for owner, theirs in owned.items():
        dashboard = dashboard.with_row(Row(owner.capitalize()))
        for entry in theirs:
            dashboard = dashboard.with_panel(_panel(entry))
    return dashboard


def _panel(entry: Entry) -> Panel:
    family = entry.family
    where = _CHOSEN if _CUSTOMER in family.labels else ""
    by = tuple(label for label in family.labels if label != _CUSTOMER) or family.labels
    legend = " ".join(f"{{{{{label}}}}}" for label in by)
    title, unit = family.help.rstrip("."), _UNITS.get(entry.unit, "short")
    if family.type is FamilyType.COUNTER:
        counted = last_hour(family.name, *by, where=where)
        return lines(f"{title}, in an hour", entry.question, unit, (counted, legend))
    if family.type is FamilyType.HISTOGRAM:
        observed = last_hour(f"{family.name}_bucket", *by, "le", where=where)
        queries = ((f"histogram_quantile({part}, {observed})", f"{legend} p{part * 100:g}") for part in (0.5, 0.95))
        return lines(f"{title}, over an hour", entry.question, unit, *queries)
    chosen = ", ".join(filter(None, (JOB, where)))
    return lines(
        title,
        entry.question,
        "percentunit",
        (f"min by ({', '.join(family.labels)}) ({family.name}{{{chosen}}})", f"{{{{{_CUSTOMER}}}}} {legend}"),
    )
