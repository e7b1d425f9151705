"""The few kinds of panels that the dashboards are made of, and the PromQL that recurs in them."""

from __future__ import annotations

from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, QueryVariable
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as StatPanel
from grafana_foundation_sdk.builders.timeseries import Panel as LinesPanel
from grafana_foundation_sdk.models.common import BigValueGraphMode, LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_COLUMNS = 24
JOB = 'job="$job"'


def board(name: str, title: str, description: str) -> Dashboard:
    """An empty dashboard: six hours, refreshed each half minute, the data source and the job to choose."""
    return (
        Dashboard(title)
        .uid(f"upstream-{name}")
        .description(description)
        .tags(["django", "upstream"])
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("30s")
        .readonly()
        .with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(variable("job", "telemetry_store_segments", many=False))
    )


def variable(label: str, metric: str, *, many: bool = True) -> QueryVariable:
    """A choice among the values that a label has in a metric; `many` allows several and all."""
    of = f"{metric}{{{JOB}}}" if many else metric
    return (
        QueryVariable(label)
        .label(label.replace("_", " ").capitalize())
        .datasource(_SOURCE)
        .query(f"label_values({of}, {label})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(many)
        .include_all(many)
    )


def lines(title: str, description: str, unit: str, *queries: tuple[str, str], width: int = 12) -> LinesPanel:
    """Values over time; each query is an expression and the legend of its series."""
    legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    panel = LinesPanel().title(title).description(description).datasource(_SOURCE).unit(unit).min(0)
    panel = panel.legend(legend.show_legend(True).calcs([])).span(width).height(8).fill_opacity(10)
    for ref, (expression, name) in zip("ABCDEF", queries, strict=False):
        query = _query(ref, expression).range().legend_format(name)
        if expression.startswith("histogram_quantile("):  # buckets have exemplars: points that open their trace
            query = query.exemplar(True)
        panel = panel.with_target(query)
    return panel


def number(title: str, description: str, unit: str, expression: str, width: int = 4) -> StatPanel:
    """One value of now, with its past as a shade."""
    reduced = ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)
    panel = StatPanel().title(title).description(description).datasource(_SOURCE).unit(unit)
    panel = panel.reduce_options(reduced).graph_mode(BigValueGraphMode.AREA).span(width).height(4)
    return panel.with_target(_query("A", expression).range())


def rate(metric: str, *by: str, where: str = "") -> str:
    """The rate a second of a counter, summed over instances and all labels but those in `by`."""
    return f"{_sum(by)}(rate({metric}{_braces(where)}[$__rate_interval]))"


def quantile(part: float, histogram: str, *by: str, where: str = "") -> str:
    """A quantile of a histogram, over all instances."""
    return f"histogram_quantile({part}, {rate(f'{histogram}_bucket', *by, 'le', where=where)})"


def last_hour(metric: str, *by: str, where: str = "") -> str:
    """What a counter has counted in an hour; other than by `increase`, the value with which a series began too."""
    series = f"{metric}{_braces(where)}"
    return f"{_sum(by)}(({series} unless {series} offset 1h) or increase({series}[1h]))"


def total(gauge: str, *by: str, where: str = "") -> str:
    """A gauge added up over instances."""
    return f"{_sum(by)}({gauge}{_braces(where)})"


def share(part: str, whole: str, *by: str, where: str = "", part_where: str = "") -> str:
    """How much of a counter's rate another (or the same, filtered) makes; 0 where nothing of it is counted."""
    counted = rate(part, *by, where=", ".join(filter(None, (where, part_where))))
    everything = rate(whole, *by, where=where)
    return f"({counted} or 0 * {everything}) / {everything}"


def _query(ref: str, expression: str) -> Dataquery:
    return Dataquery().ref_id(ref).expr(expression).datasource(_SOURCE)


def _sum(by: tuple[str, ...]) -> str:
    return f"sum by ({', '.join(by)}) " if by else "sum"


def _braces(where: str) -> str:
    return f"{{{', '.join(filter(None, (JOB, where)))}}}"
