"""What becomes of an expression, on two small pages that are made up for it."""

from __future__ import annotations

import json

import pytest

from telemetry.compare import grafana, rules
from telemetry.compare.asked import Asked
from telemetry.compare.errors import InputError
from telemetry.compare.expressions import judge
from telemetry.compare.fetch import Fetched
from telemetry.compare.outcome import Judged, Outcome
from telemetry.compare.page import Page, parse

BREAKS, PARTLY, DEAD, QUIET, UNCLEAR, ANSWERS = Outcome


def page(*lines: str) -> Page:
    return parse("page", Fetched("".join(f"{line}\n" for line in lines)))


OLD = page(
    "# TYPE answers_total counter",
    'answers_total{view="a",method="GET",status="200"} 1',
    'answers_total{view="b",method="GET",status="500"} 1',
    "# TYPE views_total counter",
    'views_total{view="a",method="GET"} 1',
    'views_total{view="b",method="GET"} 1',
    "# TYPE gone_total counter",
    'gone_total{view="a"} 1',
    "# TYPE narrowed_total counter",
    'narrowed_total{view="a",method="GET"} 1',
    "# TYPE idle_total counter",
    'idle_total{kind="x"} 1',
    "# TYPE rare_total counter",
    "# TYPE wait_seconds histogram",
    'wait_seconds_bucket{view="a",le="0.5"} 1',
    'wait_seconds_bucket{view="a",le="+Inf"} 1',
    'wait_seconds_count{view="a"} 1',
    'wait_seconds_sum{view="a"} 1',
    "# TYPE flat_bucket gauge",
    'flat_bucket{le="1"} 1',
)
NEW = page(
    "# TYPE answers_total counter",
    'answers_total{view="a",method="GET",status="200"} 1',
    'answers_total{view="b",method="GET",status="404"} 1',
    "# TYPE views_total counter",
    'views_total{view="a",method="GET"} 1',
    'views_total{view="b",method="GET"} 1',
    "# TYPE went_total counter",
    'went_total{view="a"} 1',
    "# TYPE narrowed_total counter",
    'narrowed_total{method="GET"} 1',
    "# TYPE idle_total counter",
    "# TYPE rare_total counter",
    "# TYPE wait_seconds histogram",
    'wait_seconds_bucket{view="a",le="0.50"} 1',
    'wait_seconds_bucket{view="a",le="+Inf"} 1',
    'wait_seconds_count{view="a"} 1',
    'wait_seconds_sum{view="a"} 1',
    "# TYPE flat_bucket gauge",
    "flat_bucket 1",
)


def one(written: str) -> Asked:
    return Asked("file", "place", written, (written,))


def judged(written: str, *targets: str) -> Judged:
    [found] = judge([one(written)], OLD, NEW, targets).judged
    return found


class TestOutcome:
    @pytest.mark.parametrize(
        "expression",
        [
            "answers_total",
            'rate(answers_total{view="a", instance=~"10.*"}[5m]) > 3',
            'answers_total{status=~"2..|4.."}',
            'answers_total{status!="200"}',
            'answers_total{nothing=""}',
            'answers_total{status="200" or status="500"}',
            '{__name__="answers_total", view="a"}',
            '{__name__=~"ans.*|gone.*"}',
            'sum by (view) (rate(answers_total{status=~"[2345].."}[5m])) / sum by (view) (rate(views_total[5m]))',
            "sum without (status) (answers_total) / views_total",
            "answers_total / on (view, method) group_left () views_total",
            "answers_total * ignoring (status) group_left (team) views_total",
            "histogram_quantile(0.9, sum by (view, le) (rate(wait_seconds_bucket[5m])))",
            "topk by (method) (3, answers_total)",
            'count_values by (view) ("number", answers_total)',
            'sum by (made) (label_replace(answers_total, "made", "$1", "view", "(.*)"))',
            "absent(answers_total) or vector(0)",
            "max_over_time(rate(answers_total[1m])[1h:])",
            "-(answers_total)",
            "time() - scalar(answers_total)",
            'up{job="x"} == 0',
            "answers_total unless mistyped_total",
            "answers_total unless on (view) gone_total{status='9'}",
            "went_total or gone_total{view='never'}",
            "sum by (pod, view) (answers_total)",
            'answers_total{namespace="shop"} * on (namespace) group_left () up{namespace="shop"}',
            "went_total",
        ],
    )
    def test_answers(self, expression: str) -> None:
        assert (ANSWERS, ()) == (judged(expression).outcome, judged(expression).reasons)

    @pytest.mark.parametrize(
        ("expression", "reason"),
        [
            ("sum(rate(gone_total[5m]))", "no metric gone_total on NEW; the nearest is went_total"),
            ("sum(rate(gone_total[5m])) or vector(0)", "no metric gone_total on NEW"),
            ("answers_total unless on (view) gone_total", "no metric gone_total on NEW"),
            ("absent(gone_total)", "no metric gone_total on NEW"),
            ("answers_total + on (view) group_left () gone_total", "no metric gone_total on NEW"),
            ('{__name__=~"gone.*"}', 'no metric __name__=~"gone.*" on NEW'),
            ('narrowed_total{view="a"}', "narrowed_total has no label view on NEW; it has: method"),
            ("sum by (view) (narrowed_total)", "sum by (view): no label view on NEW; there are: method"),
            ("topk by (view) (1, narrowed_total)", "topk by (view): no label view on NEW"),
            ("narrowed_total * on (view) group_left () views_total", "no labels in common"),
            ("narrowed_total and views_total", "the sides of and have no labels in common on NEW"),
            ('answers_total{status="500"}', 'no answers_total on NEW has status="500"; the nearest is 200'),
            ('answers_total{status=~"5.."}', 'no answers_total on NEW has status=~"5.."'),
            ('answers_total{view="b",status!="404"}', "no answers_total on NEW has all of {view="),
            ('wait_seconds_bucket{le="0.5"}', 'no wait_seconds_bucket on NEW has le="0.5"; the nearest is 0.50'),
            ("idle_total", "idle_total has no series on NEW yet"),
            ("histogram_quantile(0.9, flat_bucket)", "histogram_quantile: no label le on NEW"),
            ("sum(gone_total) / sum(mistyped_total)", "no metric gone_total on NEW"),
        ],
    )
    def test_breaks(self, expression: str, reason: str) -> None:
        found = judged(expression)
        assert BREAKS is found.outcome
        assert any(reason in given for given in found.reasons), found.reasons

    def test_one_cause_is_told_once(self) -> None:
        expression = "sum by (view) (rate(gone_total[1m])) / sum by (view) (rate(gone_total[5m]))"
        assert 1 == len(judged(expression).reasons)

    @pytest.mark.parametrize(
        ("expression", "outcome", "reason"),
        [
            ("answers", DEAD, "no metric answers on OLD; the nearest is answers_total"),
            ('views_total{status="200"}', DEAD, "views_total has no label status on OLD; it has: method, view"),
            ("sum by (status) (views_total)", DEAD, "sum by (status): no label status on OLD"),
            ("answers_total / sum by (view) (mistyped_total)", DEAD, "no metric mistyped_total on OLD"),
            ('answers_total{view="never"}', QUIET, 'no answers_total on OLD has view="never"'),
            ("rare_total", QUIET, "rare_total has no series on OLD yet"),
            ("answers_total / views_total", QUIET, "the sides of / have no labels in common on OLD"),
            ("gone_total or went_total", PARTLY, "no metric gone_total on NEW"),
            ("sum(answers_total", UNCLEAR, "not PromQL"),
            ('answers_total{view=~"(?<no>"}', UNCLEAR, "not PromQL"),
            (r'answers_total{view=~"\\pL"}', UNCLEAR, "cannot be tried"),
            ('answers_total{view=~"[[:alpha:]]"}', UNCLEAR, "cannot be tried"),
        ],
    )
    def test_neither(self, expression: str, outcome: Outcome, reason: str) -> None:
        found = judged(expression)
        assert outcome is found.outcome
        assert reason in found.reasons[0]

    def test_a_label_of_prometheus_that_another_family_has(self) -> None:
        assert DEAD is judged('views_total{status="shop"}').outcome
        assert ANSWERS is judged('views_total{status="shop"}', "status").outcome

    def test_labels_taken_for_those_of_prometheus_are_told(self) -> None:
        asked = [one('answers_total{pod="x"}'), one('mistyped_total{cluster="x"}')]
        assert ("pod",) == judge(asked, OLD, NEW).assumed


RULES = """
groups:
- name: later
  rules:
  - {alert: Slow, expr: "team:answers:rate > 1"}
  - {alert: Lost, expr: "view:gone:rate > 1"}
- name: first
  rules:
  - {record: "team:answers:rate", expr: "sum by (view) (view:answers:rate)", labels: {team: shop}}
  - {record: "view:answers:rate", expr: "sum by (view) (rate(answers_total[5m]))"}
  - {record: "view:gone:rate", expr: "sum by (view) (rate(gone_total[5m]))"}
"""


class TestRules:
    def test_names_that_rules_record(self) -> None:
        asked = [*rules.expressions("rules.yml", RULES), one('team:answers:rate{team="shop", view="a"}')]
        other = Asked("file", "other", "", ('team:answers:rate{team="none"}',))
        assert {
            "alert 'Slow'": ANSWERS,
            "alert 'Lost'": BREAKS,
            "recording rule 'team:answers:rate'": ANSWERS,
            "recording rule 'view:answers:rate'": ANSWERS,
            "recording rule 'view:gone:rate'": BREAKS,
            "place": ANSWERS,
            "other": QUIET,
        } == {each.asked.place: each.outcome for each in judge([*asked, other], OLD, NEW).judged}

    def test_a_label_that_rules_give_is_none_of_prometheus(self) -> None:
        asked = [*rules.expressions("rules.yml", RULES), one('answers_total{team="shop"}')]
        found = judge(asked, OLD, NEW)
        assert ((), DEAD) == (found.assumed, found.judged[-1].outcome)

    def test_the_rule_is_named(self) -> None:
        found = judge(list(rules.expressions("rules.yml", RULES)), OLD, NEW).judged
        [lost] = [each for each in found if each.asked.place == "alert 'Lost'"]
        given = "view:gone:rate is recorded by the recording rule 'view:gone:rate' of rules.yml"
        assert (f"{given}, which finds nothing on NEW",) == lost.reasons

    def test_a_rule_that_uses_itself(self) -> None:
        text = "groups: [{name: g, rules: [{record: loop, expr: loop offset 1m or answers_total}]}]"
        assert [ANSWERS] == [each.outcome for each in judge(list(rules.expressions("r", text)), OLD, NEW).judged]

    def test_a_resource_of_kubernetes(self) -> None:
        text = "kind: PrometheusRule\nspec:\n  groups: [{name: g, rules: [{alert: A, expr: up}]}]\n---\nkind: Other\n"
        assert [("alert 'A'", "up")] == [(each.place, each.written) for each in rules.expressions("r", text)]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("groups:\n- name: [a\n", "r, line 3: not YAML"),
            ("groups: 3", "r: not a rule file: 'groups' must be a list"),
            ("- a", "r: not a rule file"),
            ("groups: [{name: g, rules: [{record: a}]}]", "r, group 'g': a rule needs 'expr'"),
            ("groups: [{name: g, rules: [{expr: a}]}]", "r, group 'g': a rule needs 'expr', and 'record' or 'alert'"),
        ],
    )
    def test_says_what_is_wrong(self, text: str, said: str) -> None:
        with pytest.raises(InputError) as caught:
            list(rules.expressions("r", text))
        assert said in str(caught.value)


PROMETHEUS = {"type": "prometheus", "uid": "$datasource"}
DASHBOARD = {
    "title": "Shop",
    "annotations": {"list": [{"name": "Deploys", "expr": "changes(up[1m])", "datasource": PROMETHEUS}]},
    "templating": {
        "list": [
            {"name": "view", "type": "query", "query": 'label_values(answers_total{job=~"$job"}, view)'},
            {"name": "method", "type": "query", "query": {"query": "label_values(method)", "refId": "x"}},
            {"name": "job", "type": "query", "query": "query_result(up)"},
            {"name": "metric", "type": "query", "query": "metrics(answers)"},
            {"name": "names", "type": "query", "query": "label_names()"},
            {"name": "n", "type": "custom", "query": "3,5", "current": {"value": "3"}},
            {"name": "prefix", "type": "constant", "query": "answers"},
            {"name": "window", "type": "interval", "query": "1m,5m", "current": {"value": "$__auto_interval_window"}},
            {"name": "service", "type": "query", "datasource": {"type": "loki"}, "query": "label_values(app)"},
        ]
    },
    "panels": [
        {
            "title": "Rates",
            "datasource": PROMETHEUS,
            "targets": [
                {"refId": "A", "expr": 'rate(answers_total{view=~"$view"}[$__rate_interval])'},
                {"refId": "B", "expr": 'rate(answers_total{view="[[view]]"}[${window}] offset $window)'},
                {"refId": "C", "expr": "topk($n, ${prefix}_total)"},
                {"refId": "D", "expr": "sum by ($group) (answers_total) > $limit"},
                {"refId": "E", "expr": "answers_total{status=~`${code:regex}.*|\\d+`}"},
                {"refId": "F", "expr": "rate($metric[5m])"},
                {"refId": "G", "expr": "max_over_time(answers_total[$__range:$__interval])"},
                {"refId": "H", "expr": ""},
                {"refId": "I", "datasource": {"type": "loki"}, "expr": '{app="shop"}'},
            ],
        },
        {
            "type": "row",
            "title": "Row",
            "datasource": {"type": "loki"},
            "panels": [{"id": 7, "targets": [{"expr": "views_total"}]}],
        },
        {"title": "Logs", "datasource": {"type": "loki"}, "targets": [{"expr": '{app="shop"}'}]},
    ],
    "rows": [{"panels": [{"title": "Of old", "targets": [{"expr": "gone_total"}]}]}],
}
FOUND = {
    "annotation 'Deploys'": ANSWERS,
    "variable 'view'": ANSWERS,
    "variable 'method'": ANSWERS,
    "variable 'job'": ANSWERS,
    "variable 'metric'": ANSWERS,
    "panel 'Rates', query A": ANSWERS,
    "panel 'Rates', query B": ANSWERS,
    "panel 'Rates', query C": ANSWERS,
    "panel 'Rates', query D": ANSWERS,
    "panel 'Rates', query E": ANSWERS,
    "panel 'Rates', query F": UNCLEAR,
    "panel 'Rates', query G": ANSWERS,
    "panel '7'": ANSWERS,
    "panel 'Of old'": BREAKS,
}


def outcomes(dashboard: object) -> dict[str, Outcome]:
    asked = list(grafana.expressions("d.json", json.dumps(dashboard)))
    return {each.asked.place: each.outcome for each in judge(asked, OLD, NEW).judged}


class TestDashboards:
    @pytest.mark.parametrize("wrapped", [DASHBOARD, {"dashboard": DASHBOARD, "meta": {}}], ids=["bare", "wrapped"])
    def test_every_expression_is_found(self, wrapped: object) -> None:
        assert FOUND == outcomes(wrapped)

    def test_variables_that_break(self) -> None:
        queries = {
            "a": "label_values(gone_total, view)",
            "b": "label_values(narrowed_total{method='GET'}, view)",
            "c": "label_values(kind)",
            "d": "metrics(^gone_)",
            "e": "query_result(topk(3, gone_total))",
        }
        variables = [{"name": name, "type": "query", "query": query} for name, query in queries.items()]
        assert {f"variable '{name}'": BREAKS for name in queries} == outcomes({"templating": {"list": variables}})

    def test_a_chosen_value_needs_its_label(self) -> None:
        panels = [{"title": "t", "targets": [{"expr": 'narrowed_total{view=~"$view"}'}]}]
        assert {"panel 't'": BREAKS} == outcomes({"panels": panels})

    def test_what_is_written_is_kept(self) -> None:
        asked = {each.place: each.written for each in grafana.expressions("d.json", json.dumps(DASHBOARD))}
        assert "topk($n, ${prefix}_total)" == asked["panel 'Rates', query C"]

    def test_says_what_is_wrong(self) -> None:
        with pytest.raises(InputError, match=r"d\.json, line 2: not JSON"):
            list(grafana.expressions("d.json", '{\n"a": }'))
