"""What `/metrics` shows after the demo's work: a line for each business family, and the web's and the worker's own."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from telemetry.business import declared
from telemetry.spec import Family, FamilyType
from upstream.demo.client import request
from upstream.demo.failure import DemoFailed
from upstream.demo.saying import say

ALSO = (
    "django_http_requests_total_by_method_total",
    "django_http_responses_total_by_status_total",
    "telemetry_task_started_total",
    "telemetry_task_succeeded_total",
    "telemetry_task_failed_total",
)
"""Names of samples, beside the business families, that are shown one by one."""


def show(port: int) -> None:
    """Print what the run has moved.

    Raises:
        DemoFailed: the page cannot be had, or a business family has no value that this run gave it.
    """
    status, body = request(port, "GET", "/metrics", None, {"Accept": "text/plain"})
    if status != 200:
        raise DemoFailed(f"GET /metrics answers {status}: {body[:500].decode('utf-8', 'replace')}")
    page = list(text_string_to_metric_families(body.decode()))
    families = [family for family in declared().values() if family.name.startswith("upstream_")]
    moved = {family.name: _moved(family, page) for family in families}
    width = max(map(len, moved))
    for family in families:
        series, value = moved[family.name]
        say(f"  {family.name:{width}}  {family.type.value:9}  {value:>10,g}  in {series} series")
    still = [name for name, (series, _) in moved.items() if not series]
    if still:
        raise DemoFailed(f"no value of this run in {', '.join(still)}")
    say(f"  all {len(moved)} business families have moved")
    for name in ALSO:
        if not any(sample.name == name for family in page for sample in family.samples):
            raise DemoFailed(f"/metrics shows no {name} after this work")
        for sample in (sample for family in page for sample in family.samples if sample.name == name and sample.value):
            labels = ",".join(f'{label}="{text}"' for label, text in sample.labels.items())
            say(f"  {name}{{{labels}}} {sample.value:g}")


def _moved(family: Family, page: Iterable[Metric]) -> tuple[int, float]:
    """How many series have a value above 0, and its sum; of a histogram, the number of its observations."""
    name = f"{family.name}_count" if family.type is FamilyType.HISTOGRAM else family.name
    values = [sample.value for metric in page for sample in metric.samples if sample.name == name and sample.value > 0]
    return len(values), sum(values)
