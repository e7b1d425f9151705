"""The rules of `docs/prometheus`: read, and held against the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import promql_parser as promql
import yaml

from telemetry.generate.families import entries
from telemetry.generate.promql import check, names
from telemetry.tests.servers.harness import CHECKOUT

DIRECTORY = CHECKOUT / "docs" / "prometheus"
RECORDING = DIRECTORY / "recording_rules.yml"
ALERTS = DIRECTORY / "alert_rules.yml"
_COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})


@dataclass(frozen=True)
class Rule:
    """A rule; `record` or `alert` is its name, the other is empty."""

    record: str
    alert: str
    expression: str
    labels: frozenset[str]


def read(file: Path) -> list[Rule]:
    """The rules of a file, in their order."""
    return [
        Rule(rule.get("record", ""), rule.get("alert", ""), rule["expr"], frozenset(rule.get("labels", {})))
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    ]


def check_names(rules: Iterable[Rule]) -> None:
    """Hold the rules against the catalogue: their expressions ask only for what is exported or recorded,
    and what is recorded is a name of the catalogue.

    Raises:
        SpecError: an expression does not parse, or names a metric, a label or a value that does not exist.
    """
    known = names(entry for section in entries().values() for entry in section)
    recorded = [rule for rule in rules if rule.record]
    for rule in recorded:
        check(rule.record, known)
        known[rule.record] = replace(known[rule.record], labels=known[rule.record].labels | rule.labels)
    for rule in rules:
        check(rule.expression, known)


def without_thresholds(expression: str) -> str:
    """The expression that gives its values whether or not they pass its comparisons with a number."""
    return str(_bare(promql.parse(expression)))


def _bare(node: promql.Expr) -> object:
    if not isinstance(node, promql.BinaryExpr):
        return node
    if str(node.op) in _COMPARISONS and isinstance(node.rhs, promql.NumberLiteral):
        return _bare(node.lhs)
    if str(node.op) == "or":
        return f"({_bare(node.lhs)}) or ({_bare(node.rhs)})"
    return node
