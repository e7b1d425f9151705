"""The check of PromQL, on metrics made up for it."""

from __future__ import annotations

import pytest

from telemetry.errors import SpecError
from telemetry.generate.families import Entry
from telemetry.generate.promql import check, names
from telemetry.spec import Family, FamilyType

KNOWN = names(
    [
        Entry(Family("jobs_total", FamilyType.COUNTER, "", ("type", "reason")), values={"reason": ("late", "lost")}),
        Entry(Family("tries_total", FamilyType.COUNTER, "", ("type", "reason"))),
        Entry(Family("old_style", FamilyType.UNTYPED, "", ("type",))),
        Entry(Family("wait_seconds", FamilyType.HISTOGRAM, "", ("type",), (0.1, 1.0))),
        Entry(Family("free", FamilyType.GAUGE, "")),
    ]
)


class TestCheck:
    @pytest.mark.parametrize(
        "expression",
        [
            "free",
            'up{job="x"} == 0',
            'rate(jobs_total{reason="late", instance=~"a.*"}[5m])',
            'rate(jobs_total{reason=~"la.*"}[5m])',
            'jobs_total{reason!="late"}',
            "rate(old_style[5m])",
            "sum by (job, type) (rate(wait_seconds_count[5m]))",
            "sum without (le) (wait_seconds_bucket)",
            "topk by (type) (3, wait_seconds_sum)",
            "histogram_quantile(0.9, sum by (type, le) (rate(wait_seconds_bucket[5m])))",
            "histogram_quantile(0.9, rate(wait_seconds_bucket[5m]))",
            "jobs_total / tries_total > bool 0.5",
            "sum by (type) (jobs_total) / on (type) group_right () tries_total",
            "sum by (type) (jobs_total / on (type, reason) tries_total)",
            "sum by (reason) (jobs_total * on (type) group_left () sum by (type) (tries_total))",
            "jobs_total / ignoring (reason) group_left () sum without (reason) (tries_total)",
            "(sum(jobs_total) or vector(0)) / sum(tries_total)",
            "sum by (reason) (jobs_total unless on (type) wait_seconds_sum)",
            "sum by (reason) (sum by (type) (jobs_total) * on (type) group_right () tries_total)",
            "sum by (job) (topk by (type) (3, jobs_total))",
            "sum by (job) (topk(3, jobs_total))",
            "max_over_time(rate(jobs_total[1m])[1h:])",
            "time() - free",
            'sum by (kind) (label_replace(free, "kind", "$1", "job", "(.*)"))',
            "absent(jobs_total)",
            "1 - (free)",
        ],
    )
    def test_takes_what_can_answer(self, expression: str) -> None:
        check(expression, KNOWN)

    @pytest.mark.parametrize(
        ("expression", "complaint"),
        [
            ("rate(jobs_total[5m)", "is no PromQL"),
            ("rate(jobs_total)", "is no PromQL: expected type matrix"),
            ("quickly(free)", "is no PromQL: unknown function"),
            ("jobs", r"no metric 'jobs'"),
            ("rate(job_total[5m])", "no metric 'job_total'; the nearest is 'jobs_total'"),
            ("wait_seconds", "no metric 'wait_seconds'"),
            ("{type='x'}", "no metric ''"),
            ("free + max_over_time(sum(nothing)[1h:])", "no metric 'nothing'"),
            ("free or -(nothing)", "no metric 'nothing'"),
            ('jobs_total{kind="x"}', "'jobs_total' has no label 'kind'"),
            ('wait_seconds_count{le="1"}', "'wait_seconds_count' has no label 'le'"),
            ('jobs_total{reason="late "}', "label 'reason' of 'jobs_total' is never 'late '; valid:.*'lost'"),
            ('jobs_total{reason=~"lat"}', "is never 'lat'"),
            ("sum by (kind) (jobs_total)", "'sum' has no label 'kind'"),
            ("sum without (kind) (jobs_total)", "'sum' has no label 'kind'"),
            ("sum by (reason) (sum by (type) (jobs_total))", "'sum' has no label 'reason'"),
            ("sum by (job) (sum(jobs_total))", "'sum' has no label 'job'"),
            ("topk by (kind) (3, jobs_total)", "'topk' has no label 'kind'"),
            ("histogram_quantile(0.9, sum by (type) (rate(wait_seconds_bucket[5m])))", "has no label 'le'"),
            ("sum by (le) (histogram_quantile(0.9, wait_seconds_bucket))", "has no label 'le'"),
            ("rate(free[5m])", "rate.. of 'free', which is a gauge"),
            ("jobs_total / free", "the sides of '/' never match"),
            ("jobs_total / on (reason) free", "'/' has no label 'reason'"),
            ("jobs_total / ignoring (reason) free", "the sides of '/' never match"),
            ("jobs_total / ignoring (kind) tries_total", "'/' has no label 'kind'"),
            ("jobs_total + vector(1)", "the sides of '[+]' never match"),
            ("sum by (reason) (jobs_total > on (type) tries_total)", "'sum' has no label 'reason'"),
            ("jobs_total and free", "the sides of 'and' never match"),
            ("sum by (reason) (jobs_total / on (type) tries_total)", "'sum' has no label 'reason'"),
            ("sum by (type) (absent(jobs_total))", "'sum' has no label 'type'"),
        ],
    )
    def test_refuses_what_cannot_answer(self, expression: str, complaint: str) -> None:
        with pytest.raises(SpecError, match=complaint):
            check(expression, KNOWN)
