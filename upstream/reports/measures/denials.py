"""Denials: how many of the answered claims, why, and what they billed."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from django.db.models import Case, CharField, Count, F, Q, Sum, Value, When

from upstream.detection.significance import rate_increase
from upstream.models import Customer
from upstream.reports.measures.querying import answered
from upstream.reports.measures.spread import amount, ratio
from upstream.reports.measures.steps import Steps
from upstream.reports.words import Who

MIN_CLAIMS = 5
"""A reason of fewer denials than this is not quoted: it is free text, and may say something about one patient."""
MAX_REASONS = 25
"""The reasons that are told apart at most, the costliest."""
OTHER = "other reasons"
NONE_GIVEN = "no reason given"
MIN_ANSWERED = 50
MIN_RISE = 0.03
ALPHA = 0.01
"""What it takes to say that a payer denies more: answered claims before and now, a rise of the rate, and a chance of
less than ALPHA that the same claims, dealt out anew, would look so for any payer."""

# No reason holds a control character.
_OTHER = "\t"
_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Tally:
    """Answered claims, and the denied ones among them."""

    answered: int = 0
    denied: int = 0

    @property
    def rate(self) -> float | None:
        """The share of the answered claims that was denied."""
        return ratio(self.denied, self.answered)


@dataclass(frozen=True, slots=True)
class Cost:
    """Denied claims, and what they billed."""

    denied: int
    billed: Decimal


@dataclass(frozen=True, slots=True)
class Risen:
    """A payer whose denial rate has risen, from the days before to the latest."""

    who: Who
    before: float
    now: float


@dataclass(frozen=True, slots=True)
class Denials:
    """What a denial analysis rests on."""

    steps: Steps
    rates: dict[Who, list[Tally]]
    """For each payer and step."""
    compared: dict[Who, list[Tally]]
    """The same for the two steps of `Steps.latest`."""
    pairs: dict[tuple[Who, str], Cost]
    """For each payer and reason, the costliest first; the rare reasons are one, which is named `OTHER`."""

    @property
    def by_payer(self) -> dict[Who, Tally]:
        """For each payer, over the whole period."""
        return {who: total(tallies) for who, tallies in self.rates.items()}

    @property
    def payer_costs(self) -> dict[Who, Cost]:
        """For each payer with denials."""
        return _costliest((who, cost) for (who, _), cost in self.pairs.items())

    @property
    def reasons(self) -> dict[str, Cost]:
        """For each reason."""
        return _costliest((reason, cost) for (_, reason), cost in self.pairs.items())

    @property
    def cost(self) -> Cost:
        """Of all denials."""
        return _sum(self.pairs.values())

    @property
    def risen(self) -> Risen | None:
        """The payer whose rate has risen most, if one's has by much and not by chance."""
        judged = {
            who: (before, now)
            for who, (before, now) in self.compared.items()
            if min(before.answered, now.answered) >= MIN_ANSWERED
        }
        risen = [
            Risen(who, before.denied / before.answered, now.denied / now.answered)
            for who, (before, now) in judged.items()
            if rate_increase((before.denied, before.answered), (now.denied, now.answered)) * len(judged) < ALPHA
        ]
        risen = [change for change in risen if change.now - change.before >= MIN_RISE]
        return max(risen, key=lambda change: (change.now - change.before, change.who), default=None)


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of several."""
    each = list(tallies)
    return Tally(sum(one.answered for one in each), sum(one.denied for one in each))


def measure(customer: Customer, start: datetime.date, end: datetime.date) -> Denials:
    """The claims that payers answered from `start` to `end`, and those among them that were denied."""
    steps = Steps.over(start, end)
    return Denials(steps, _rates(customer, steps), _rates(customer, steps.latest), _pairs(customer, start, end))


def _rates(customer: Customer, steps: Steps) -> dict[Who, list[Tally]]:
    rows = (
        answered(customer, steps.start, steps.ends[-1])
        .annotate(step=steps.of("day"))
        .values_list("payer__code", "payer__name", "step")
        .annotate(count=Count("pk"), refused=Count("pk", filter=Q(denied=True)))
        .order_by("payer__code", "step")
    )
    found: defaultdict[Who, list[Tally]] = defaultdict(lambda: [Tally()] * len(steps))
    for code, name, step, count, denied in rows.iterator():
        found[Who(code, name)][step] = Tally(count, denied)
    return dict(found)


def _pairs(customer: Customer, start: datetime.date, end: datetime.date) -> dict[tuple[Who, str], Cost]:
    denied = answered(customer, start, end).filter(denied=True)
    quoted = [
        reason
        for reason, _, _ in denied.values_list("denial_reason")
        .annotate(count=Count("pk"), billed=Sum("billed_amount"))
        .filter(Q(count__gte=MIN_CLAIMS) | Q(denial_reason=""))
        .order_by("-billed", "denial_reason")[:MAX_REASONS]
    ]
    rows = (
        denied.annotate(
            reason=Case(
                When(denial_reason__in=quoted, then=F("denial_reason")),
                default=Value(_OTHER),
                output_field=CharField(),
            )
        )
        .values_list("payer__code", "payer__name", "reason")
        .annotate(count=Count("pk"), billed=Sum("billed_amount"))
        .order_by()
    )
    return _costliest(
        ((Who(code, name), _named(reason)), Cost(count, amount(billed))) for code, name, reason, count, billed in rows
    )


def _named(reason: str) -> str:
    return {"": NONE_GIVEN, _OTHER: OTHER}.get(reason, reason)


def _costliest(costs: Iterable[tuple[_Key, Cost]]) -> dict[_Key, Cost]:
    """The costs of each key together, the costliest first."""
    found: defaultdict[_Key, list[Cost]] = defaultdict(list)
    for key, cost in costs:
        found[key].append(cost)
    summed = {key: _sum(each) for key, each in found.items()}
    return dict(sorted(summed.items(), key=lambda item: (-item[1].billed, str(item[0]))))


def _sum(costs: Iterable[Cost]) -> Cost:
    each = list(costs)
    return Cost(sum(cost.denied for cost in each), sum((cost.billed for cost in each), Decimal(0)))
