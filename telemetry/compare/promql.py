"""What a PromQL expression would find on a page: the label sets of its answer, values aside.

Every comparison of numbers is taken to hold; what counts is whether there is a series to compare.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import promql_parser as promql

from telemetry.compare.asked import STRING, VARIABLE, VARIABLE_NAME, Asked
from telemetry.compare.page import Series
from telemetry.compare.world import NO_LABELS, World, with_labels

_KEEPING = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
Answer = set[Series] | None
"""The label sets of a vector, or None for a scalar."""


class Unclear(Exception):
    """The expression cannot be judged; the message says why."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Whether one part of an expression finds what it asks for; None where it has nothing to look at.

    `structural` says that no traffic can change it. `spare` is `or` where the other side of an `or` answers
    from real series, `unless` for what an `unless` takes away.
    """

    ok: bool | None
    problem: str = ""
    structural: bool = False
    spare: str = ""


def parse(asked: Asked) -> promql.Expr:
    """The first of the expression's readings that parses.

    Raises:
        Unclear: none does.
    """
    why = ""
    for text in asked.promql:
        parts = STRING.split(text)
        # promql_parser takes a backslash in a raw string for an escape.
        quoted = "".join(json.dumps(part[1:-1], ensure_ascii=False) if part[:1] == "`" else part for part in parts)
        try:
            return promql.parse(quoted)
        except ValueError as error:
            why = why or str(error)
    raise Unclear(f"not PromQL: {why}")


def labels_used(tree: promql.Expr) -> set[str]:
    """Every label that the expression selects, groups or joins by."""
    used: set[str] = set()

    def visit(node: promql.Expr) -> bool:
        if isinstance(node, promql.VectorSelector):
            groups = [node.matchers.matchers, *node.matchers.or_matchers]
            used.update(matcher.name for group in groups for matcher in group)
        elif isinstance(node, promql.AggregateExpr) and node.modifier:
            used.update(node.modifier.labels)
        elif isinstance(node, promql.BinaryExpr) and node.modifier:
            used.update(node.modifier.matching.labels if node.modifier.matching else ())
            used.update(node.modifier.group_labels or ())
        return True

    promql.walk(tree, visit)
    return used - {"__name__", "le", "quantile", VARIABLE_NAME}


@dataclass(slots=True)
class Evaluation:
    """One expression on one world; the same expression leaves the same facts in the same order on each."""

    world: World
    facts: list[Fact] = field(default_factory=list)

    def answer(self, node: object) -> Answer:
        """The label sets of the node's answer."""
        match node:
            case promql.VectorSelector():
                return self._select(node)
            case promql.MatrixSelector():
                return self._select(node.vector_selector)
            case promql.SubqueryExpr() | promql.ParenExpr() | promql.UnaryExpr():
                return self.answer(node.expr)
            case promql.AggregateExpr():
                return self._aggregate(node)
            case promql.BinaryExpr():
                return self._join(node)
            case promql.Call():
                return self._call(node)
        return None

    def _select(self, selector: promql.VectorSelector) -> set[Series]:
        groups = [selector.matchers.matchers + more for more in selector.matchers.or_matchers or [[]]]
        found: set[Series] = set()
        facts = []
        for matchers in groups:
            names, rest = self._names(selector.name, matchers)
            all_series = {series for name in names for series in self.world.series.get(name, ())}
            chosen = {series for series in all_series if all(_matches(matcher, dict(series)) for matcher in rest)}
            found |= chosen
            shown = selector.name or " ".join(str(m) for m in matchers if m.name == "__name__") or "any metric"
            facts.append(Fact(True) if chosen else self._why(shown, names, all_series, rest))
        self.facts.append(next((fact for fact in facts if fact.ok), facts[0]))
        return found

    def _names(self, name: str | None, matchers: Sequence[promql.Matcher]) -> tuple[set[str], list[promql.Matcher]]:
        by_name = [matcher for matcher in matchers if matcher.name == "__name__"]
        if VARIABLE_NAME in (name or "") or any(VARIABLE in matcher.value for matcher in by_name):
            raise Unclear("the name of the metric is chosen by a variable")
        names = {name} if name else set(self.world.series)
        names = {one for one in names if all(_matches(matcher, {"__name__": one}) for matcher in by_name)}
        return names, [matcher for matcher in matchers if matcher.name != "__name__"]

    def _why(self, shown: str, names: set[str], all_series: set[Series], matchers: Sequence[promql.Matcher]) -> Fact:
        on = self.world.name
        if not all_series:
            for name in sorted(names & self.world.recorded.keys()):
                return Fact(False, f"{name} is recorded by {self.world.recorded[name]}, which finds nothing on {on}")
            if names & self.world.declared:
                return Fact(False, f"{shown} has no series on {on} yet")
            return Fact(False, f"no metric {shown} on {on}{_nearest(shown, self.world.series)}", structural=True)
        for matcher in matchers:
            if any(_matches(matcher, dict(series)) for series in all_series):
                continue
            have = {name for series in all_series for name, _ in series}
            if matcher.name not in have:
                listed = ", ".join(sorted(have - self.world.targets)) or "none"
                problem = f"{shown} has no label {matcher.name} on {on}; it has: {listed}"
                return Fact(False, problem, structural=True)
            values = {value for series in all_series for name, value in series if name == matcher.name}
            near = _nearest(matcher.value, values)
            return Fact(False, f"no {shown} on {on} has {str(matcher).replace(VARIABLE, '$…')}{near}")
        given = ", ".join(str(matcher) for matcher in matchers).replace(VARIABLE, "$…")
        return Fact(False, f"no {shown} on {on} has all of {{{given}}}")

    def _aggregate(self, node: promql.AggregateExpr) -> set[Series]:
        self.answer(node.param)
        given = self.answer(node.expr) or set()
        operator = str(node.op)
        listed = node.modifier.labels if node.modifier else []
        by = node.modifier is None or node.modifier.type == promql.AggModifierType.By
        if by:
            for label in listed:
                self._require(label, given, f"{operator} by ({label})")
        if operator in _KEEPING:
            return given
        if operator == "count_values" and isinstance(node.param, promql.StringLiteral):
            given = {with_labels(series, {node.param.val: VARIABLE}) for series in given}
            listed = [*listed, node.param.val] if by else listed
        return {_restricted(series, listed, keep=by) for series in given}

    def _require(self, label: str, given: set[Series], where: str) -> None:
        if label in (VARIABLE_NAME, "__name__"):
            return
        have = {name for series in given for name, _ in series}
        if not given:
            self.facts.append(Fact(None))
        elif label in have:
            self.facts.append(Fact(True))
        else:
            listed = ", ".join(sorted(have - self.world.targets)) or "none"
            problem = f"{where}: no label {label} on {self.world.name}; there are: {listed}"
            self.facts.append(Fact(False, problem, structural=True))

    def _join(self, node: promql.BinaryExpr) -> Answer:
        operator, modifier = str(node.op), node.modifier
        start = len(self.facts)
        left = self.answer(node.lhs)
        middle = len(self.facts)
        right = self.answer(node.rhs)
        if left is None or right is None:
            return right if left is None else left
        if operator == "or":
            # A side without a fact is made of numbers: `or vector(0)` hides what is missing.
            self._spare(start, middle, "or" if right and len(self.facts) > middle else "")
            self._spare(middle, len(self.facts), "or" if left and middle > start else "")
            return left | right
        matching = modifier.matching if modifier else None
        listed = list(matching.labels) if matching else []
        keep = matching is not None and matching.type == promql.LabelModifierType.Include
        if operator == "unless":
            self._spare(middle, len(self.facts), "unless")
            return left
        if keep:
            for label in listed:
                self._require(label, left | right if left and right else set(), f"{operator} on ({label})")
        matched, unmatched = _matched(left, right, listed, keep=keep)
        if left and right:
            problem = f"the sides of {operator} have no labels in common on {self.world.name}: {unmatched}"
            self.facts.append(Fact(True) if matched else Fact(False, problem))
        else:
            self.facts.append(Fact(None))
        card = modifier.card if modifier else None
        if operator != "and":
            # Prometheus refuses several series of the "one" side for a key, of the other only where they match.
            one, many = (left, right) if card == promql.VectorMatchCardinality.OneToMany else (right, left)
            twice = _repeated(_key(series, listed, keep=keep) for series in one)
            if not twice and card in (None, promql.VectorMatchCardinality.OneToOne):
                keys = (_key(series, listed, keep=keep) for series in many)
                twice = _repeated(key for key in keys if key in matched)
            problem = f"{operator} fails on {self.world.name}: several series of a side have {twice}"
            self.facts.append(Fact(False, problem) if twice else Fact(True if one else None))
        if operator == "and" or card == promql.VectorMatchCardinality.ManyToOne:
            found = {series for series in left if _key(series, listed, keep=keep) in matched}
        elif card == promql.VectorMatchCardinality.OneToMany:
            found = {series for series in right if _key(series, listed, keep=keep) in matched}
        else:
            return set(matched)
        extra = dict.fromkeys((modifier.group_labels or []) if modifier else [], VARIABLE)
        return {with_labels(series, extra, overwrite=False) for series in found}

    def _spare(self, start: int, end: int, spare: str) -> None:
        if spare:
            self.facts[start:end] = [replace(fact, spare=fact.spare or spare) for fact in self.facts[start:end]]

    def _call(self, node: promql.Call) -> Answer:
        name = node.func.name
        answers = [self.answer(argument) for argument in node.args]
        vectors = [answer for answer in answers if answer is not None]
        if name in ("scalar", "time", "pi"):
            return None
        if name.startswith("absent") or not vectors:
            return {NO_LABELS}
        given = vectors[-1]
        if name == "histogram_quantile":
            self._require("le", given, name)
            return {_restricted(series, ["le"], keep=False) for series in given if "le" in dict(series)}
        if name in ("label_replace", "label_join") and isinstance(node.args[1], promql.StringLiteral):
            return {with_labels(series, {node.args[1].val: VARIABLE}) for series in given}
        return given


def _matches(matcher: promql.Matcher, labels: Mapping[str, str]) -> bool:
    value, wanted = labels.get(matcher.name, ""), matcher.value
    if value == VARIABLE:
        return True
    negative = matcher.op in (promql.MatchOp.NotEqual, promql.MatchOp.NotRe)
    if VARIABLE in wanted and (negative or not value):
        return negative
    if matcher.op in (promql.MatchOp.Re, promql.MatchOp.NotRe):
        pattern = wanted.replace(VARIABLE, ".*")
    else:
        pattern = ".*".join(map(re.escape, wanted.split(VARIABLE)))
    if "[[:" in pattern:
        raise Unclear(f"the pattern {wanted!r} cannot be tried: it has a named class")
    try:
        return bool(re.fullmatch(pattern, value, re.DOTALL)) != negative
    except re.error as error:
        raise Unclear(f"the pattern {wanted!r} cannot be tried: {error}") from error


def _matched(left: set[Series], right: set[Series], listed: list[str], *, keep: bool) -> tuple[set[Series], str]:
    """The label sets on which both sides meet; an example of each side where there are none."""
    keys = [{_key(series, listed, keep=keep) for series in side} for side in (left, right)]
    both = keys[0] & keys[1]
    if both or not (left and right):
        return both, ""
    first, second = (dict(sorted(min(side, key=sorted))) for side in keys)
    return both, f"{first} and {second}".replace(VARIABLE, "…")


def _repeated(keys: Iterable[Series]) -> str:
    """A key that comes twice, to be shown; empty where none does."""
    seen: set[Series] = set()
    for key in keys:
        if key in seen:
            return str(dict(sorted(key))).replace(VARIABLE, "…")
        seen.add(key)
    return ""


def _key(series: Series, listed: list[str], *, keep: bool) -> Series:
    return _restricted(series, listed, keep=keep)


def _restricted(series: Series, listed: Iterable[str], *, keep: bool) -> Series:
    return frozenset(pair for pair in series if (pair[0] in listed) == keep)


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"; the nearest is {near[0]}" if near else ""
