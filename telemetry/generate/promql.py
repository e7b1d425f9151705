"""Whether a PromQL expression can answer: it parses, and names only metrics and labels that exist.

Stricter than Prometheus, which takes a name that does not exist for an empty answer.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import promql_parser as promql

from telemetry.errors import SpecError
from telemetry.generate.families import Entry
from telemetry.spec import FamilyType

TARGET = frozenset({"job", "instance"})
"""The labels that Prometheus gives to every sample of a target."""
_COUNTING = frozenset({"rate", "irate", "increase", "resets"})
_KEEPING = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})

Labels = frozenset[str] | None
"""The labels that the series of an expression carry; None for a scalar."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One name that a selector may give; `values` are those of the labels that have a closed set."""

    labels: frozenset[str]
    counts: bool
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def names(entries: Iterable[Entry]) -> dict[str, Metric]:
    """What a scraper finds of the entries, and what Prometheus adds of its own."""
    found = {
        name: Metric(TARGET, False)
        for name in ("up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_series_added")
    }
    for entry in entries:
        family = entry.family
        labels = TARGET.union(family.labels)
        if family.type is FamilyType.HISTOGRAM:
            found[f"{family.name}_bucket"] = Metric(labels | {"le"}, True, entry.values)
            found[f"{family.name}_sum"] = Metric(labels, True, entry.values)
            found[f"{family.name}_count"] = Metric(labels, True, entry.values)
        else:
            found[family.name] = Metric(labels, family.type is not FamilyType.GAUGE, entry.values)
    return found


def check(expression: str, known: Mapping[str, Metric]) -> None:
    """Check one expression.

    Raises:
        SpecError: it does not parse, or names a metric, a label or a value that does not exist, or
            puts together what never matches; the message names the offender.
    """
    try:
        parsed = promql.parse(expression)
    except ValueError as error:
        raise SpecError(f"{expression!r} is no PromQL: {error}") from None
    try:
        _labels(parsed, known)
    except SpecError as error:
        raise SpecError(f"{expression!r}: {error}") from None


def _labels(node: object, known: Mapping[str, Metric]) -> Labels:
    match node:
        case promql.VectorSelector():
            return _select(node, known).labels
        case promql.MatrixSelector():
            return _select(node.vector_selector, known).labels
        case promql.SubqueryExpr() | promql.ParenExpr() | promql.UnaryExpr():
            return _labels(node.expr, known)
        case promql.AggregateExpr():
            return _aggregated(node, known)
        case promql.BinaryExpr():
            return _joined(node, known)
        case promql.Call():
            return _called(node, known)
    return None


def _select(selector: promql.VectorSelector, known: Mapping[str, Metric]) -> Metric:
    name = selector.name or ""
    metric = known.get(name)
    if metric is None:
        near = difflib.get_close_matches(name, known, n=1)
        raise SpecError(f"no metric {name!r}" + (f"; the nearest is {near[0]!r}" if near else ""))
    for matcher in selector.matchers.matchers:
        _require({matcher.name}, metric.labels, name)
        values = metric.values.get(matcher.name)
        pattern = matcher.value if matcher.op in (promql.MatchOp.Re, promql.MatchOp.NotRe) else re.escape(matcher.value)
        if values and not any(re.fullmatch(pattern, value) for value in values):
            raise SpecError(f"label {matcher.name!r} of {name!r} is never {matcher.value!r}; valid: {list(values)}")
    return metric


def _aggregated(node: promql.AggregateExpr, known: Mapping[str, Metric]) -> Labels:
    have = _labels(node.expr, known) or frozenset()
    if node.modifier is None:
        return have if str(node.op) in _KEEPING else frozenset()
    listed = frozenset(node.modifier.labels)
    _require(listed, have, str(node.op))
    if str(node.op) in _KEEPING:
        return have
    return listed if node.modifier.type == promql.AggModifierType.By else have - listed


def _joined(node: promql.BinaryExpr, known: Mapping[str, Metric]) -> Labels:
    left, right = _labels(node.lhs, known), _labels(node.rhs, known)
    if left is None or right is None:
        return right if left is None else left
    operator, modifier = str(node.op), node.modifier
    if operator == "or":
        return left | right
    matched = _matched(operator, modifier.matching if modifier else None, left, right)
    if modifier and modifier.card == promql.VectorMatchCardinality.ManyToOne:
        return left.union(modifier.group_labels or ())
    if modifier and modifier.card == promql.VectorMatchCardinality.OneToMany:
        return right.union(modifier.group_labels or ())
    return left if operator in ("and", "unless") else matched


def _matched(
    operator: str, matching: promql.LabelModifier | None, left: frozenset[str], right: frozenset[str]
) -> frozenset[str]:
    """The labels that must be equal on both sides."""
    listed = frozenset(matching.labels) if matching else frozenset()
    if matching and matching.type == promql.LabelModifierType.Include:
        _require(listed, left & right, operator)
        return listed
    _require(listed, left | right, operator)
    if left - listed != right - listed:
        raise SpecError(f"the sides of {operator!r} never match: {sorted(left - listed)} and {sorted(right - listed)}")
    return left - listed


def _called(node: promql.Call, known: Mapping[str, Metric]) -> Labels:
    name = node.func.name
    if name in _COUNTING:
        for argument in node.args:
            if isinstance(argument, promql.MatrixSelector) and not _select(argument.vector_selector, known).counts:
                raise SpecError(f"{name}() of {argument.vector_selector.name!r}, which is a gauge")
    vectors = [labels for labels in (_labels(argument, known) for argument in node.args) if labels is not None]
    if name == "vector":
        return frozenset()
    if name == "scalar" or not vectors:
        return None
    if name == "histogram_quantile":
        _require({"le"}, vectors[-1], name)
        return vectors[-1] - {"le"}
    if name in ("label_replace", "label_join") and isinstance(node.args[1], promql.StringLiteral):
        return vectors[-1] | {node.args[1].val}
    return frozenset() if name.startswith("absent") else vectors[-1]


def _require(wanted: Iterable[str], have: frozenset[str], where: str) -> None:
    for label in sorted(set(wanted) - have):
        raise SpecError(f"{where!r} has no label {label!r}; it has {sorted(have)}")
