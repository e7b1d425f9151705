"""Each expression of dashboards and rules, asked of both pages: what answered on OLD and would not on NEW."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

import promql_parser

from telemetry.compare.asked import Asked
from telemetry.compare.outcome import Judged, Judgement, Outcome
from telemetry.compare.page import Page
from telemetry.compare.promql import Evaluation, Fact, Unclear, labels_used, parse
from telemetry.compare.world import TARGET, World


def judge(asked: Sequence[Asked], old: Page, new: Page, targets: Iterable[str] = ()) -> Judgement:
    """Ask every expression of both pages; `targets` are labels that Prometheus adds, beside job and instance."""
    trees: list[tuple[Asked, promql_parser.Expr]] = []
    judged: list[Judged] = []
    used: set[str] = set()
    for one in asked:
        try:
            tree = parse(one)
        except Unclear as error:
            judged.append(Judged(one, Outcome.UNCLEAR, (str(error),)))
            continue
        trees.append((one, tree))
        used |= labels_used(tree)
    given = TARGET.union(targets)
    of_rules = {label for one in asked for label in one.labels}
    assumed = used - given - old.labels() - new.labels() - of_rules
    worlds = [World.of(page, name, given | assumed) for page, name in ((old, "OLD"), (new, "NEW"))]
    for world in worlds:
        _record(world, trees)
    told: set[str] = set()
    for one, tree in trees:
        judged.append(_judge(one, tree, worlds))
        if judged[-1].outcome is not Outcome.DEAD:
            told |= assumed & labels_used(tree)
    order = {id(one): number for number, one in enumerate(asked)}
    return Judgement(sorted(judged, key=lambda each: order[id(each.asked)]), tuple(sorted(told)))


def _record(world: World, trees: Sequence[tuple[Asked, promql_parser.Expr]]) -> None:
    """Add what the recording rules give; a rule may use what a later one records."""
    rules = [(one, tree) for one, tree in trees if one.records]
    world.recorded = {one.records: f"the {one.place} of {one.file}" for one, _ in rules}
    for _ in range(len(rules)):
        grown = False
        for one, tree in rules:
            try:
                answer = Evaluation(world).answer(tree)
            except Unclear:
                continue
            series = {frozenset()} if answer is None else answer
            labelled = (frozenset({**dict(each), **one.labels}.items()) for each in series)
            grown |= world.add(one.records, labelled)
        if not grown:
            return


def _judge(one: Asked, tree: promql_parser.Expr, worlds: Sequence[World]) -> Judged:
    facts: list[list[Fact]] = []
    for world in worlds:
        evaluation = Evaluation(world)
        try:
            evaluation.answer(tree)
        except Unclear as error:
            return Judged(one, Outcome.UNCLEAR, (str(error),))
        facts.append(evaluation.facts)
    lost: list[str] = []
    spared: list[str] = []
    never: list[Fact] = []
    for was, now in zip_longest(*facts):
        if was.ok and now.ok is False:
            (spared if now.spare == "or" else lost).append(now.problem)
        elif was.ok is False and now.ok is False and not (was.spare or now.spare):
            never.append(was)
    if lost:
        return Judged(one, Outcome.BREAKS, _unique(lost))
    if never:
        dead = [fact.problem for fact in never if fact.structural]
        quiet = [fact.problem for fact in never if not fact.structural]
        return Judged(one, Outcome.DEAD if dead else Outcome.QUIET, _unique(dead or quiet))
    if spared:
        return Judged(one, Outcome.PARTLY, _unique(spared))
    return Judged(one, Outcome.ANSWERS)


def _unique(problems: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(problems))
