"""Payments and open claims: days to payment, amounts, ages."""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Q, Sum

from upstream.detection.significance import upward_shift
from upstream.detection.stored import last_answer
from upstream.models import Claim, Customer
from upstream.reports.measures.querying import Days, answered
from upstream.reports.measures.spread import amount, quantile, ratio
from upstream.reports.measures.steps import Steps
from upstream.reports.words import Who

AGES = (("0-30", 0, 30), ("31-60", 31, 60), ("61-90", 61, 90), (">90", 91, None))
"""The ages (days since submission, ends included) by which open claims are told apart."""
MIN_PAYMENTS = 30
MIN_RISE = 3
ALPHA = 0.01
"""What it takes to say that a payer pays later: payments before and now, days by which the median has risen, and a
chance of less than ALPHA that the same payments, dealt out anew, would look so for any payer."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """One payer's answered claims, or all payers'; `billed_of_paid` and `paid_of_paid` leave the denied ones out."""

    answered: int
    denied: int
    billed: Decimal
    paid: Decimal
    billed_of_paid: Decimal
    paid_of_paid: Decimal

    @property
    def paid_share(self) -> float | None:
        """What was paid of what was billed."""
        return ratio(self.paid, self.billed)

    @property
    def adjustment(self) -> float | None:
        """What was not paid of what the claims that were paid billed."""
        return ratio(self.billed_of_paid - self.paid_of_paid, self.billed_of_paid)


@dataclass(frozen=True, slots=True)
class Open:
    """Open claims of one age: how many, and what they bill."""

    count: int
    billed: Decimal


@dataclass(frozen=True, slots=True)
class Later:
    """A payer whose median days to payment have risen, from the days before to the latest."""

    who: Who
    before: int
    now: int


@dataclass(frozen=True, slots=True)
class Payments:
    """What a payment analysis rests on."""

    steps: Steps
    amounts: dict[Who, Amounts]
    delays: dict[Who, list[Counter[int]]]
    """For each payer and step, how many payments came after how many days."""
    compared: dict[Who, list[Counter[int]]]
    """The same for the two steps of `Steps.latest`."""
    waiting: dict[Who, tuple[Open, ...]]
    """For each payer and age, what was open at the end of the last day."""
    last_answer: datetime.date | None
    """The last day for which answers are on file: after it, nothing is known to be open."""

    @property
    def by_payer(self) -> dict[Who, Counter[int]]:
        """For each payer, how many payments came after how many days."""
        return {who: sum(by_step, Counter[int]()) for who, by_step in self.delays.items()}

    @property
    def everything(self) -> Counter[int]:
        """How many payments came after how many days."""
        return sum(self.by_payer.values(), Counter[int]())

    @property
    def total(self) -> Amounts:
        """All payers' amounts."""
        each = self.amounts.values()
        return Amounts(
            sum(one.answered for one in each),
            sum(one.denied for one in each),
            sum((one.billed for one in each), Decimal(0)),
            sum((one.paid for one in each), Decimal(0)),
            sum((one.billed_of_paid for one in each), Decimal(0)),
            sum((one.paid_of_paid for one in each), Decimal(0)),
        )

    @property
    def open_by_age(self) -> list[Open]:
        """All payers' open claims, by age."""
        return [
            Open(sum(one.count for one in ages), sum((one.billed for one in ages), Decimal(0)))
            for ages in zip(*self.waiting.values(), strict=True)
        ]

    @property
    def later(self) -> Later | None:
        """The payer whose median has risen most, if one's has by much and not by chance."""
        judged = {
            who: (before, now)
            for who, (before, now) in self.compared.items()
            if min(before.total(), now.total()) >= MIN_PAYMENTS
        }
        risen = [
            Later(who, quantile(before, 0.5) or 0, quantile(now, 0.5) or 0)
            for who, (before, now) in judged.items()
            if upward_shift(before, now) * len(judged) < ALPHA
        ]
        risen = [change for change in risen if change.now - change.before >= MIN_RISE]
        return max(risen, key=lambda change: (change.now - change.before, change.who), default=None)


def measure(customer: Customer, start: datetime.date, end: datetime.date) -> Payments:
    """The claims that payers answered from `start` to `end`, and those that were open at the end of the last day."""
    steps = Steps.over(start, end)
    return Payments(
        steps,
        _amounts(customer, start, end),
        _delays(customer, steps),
        _delays(customer, steps.latest),
        _waiting(customer, end),
        last_answer(customer),
    )


def _delays(customer: Customer, steps: Steps) -> dict[Who, list[Counter[int]]]:
    rows = (
        Claim.objects.filter(customer=customer, denied=False, paid_date__range=(steps.start, steps.ends[-1]))
        .annotate(step=steps.of("paid_date"), days=Days("paid_date", "submitted_date"))
        .values_list("payer__code", "payer__name", "step", "days")
        .annotate(count=Count("pk"))
        .order_by("payer__code", "step", "days")
    )
    found: defaultdict[Who, list[Counter[int]]] = defaultdict(lambda: [Counter() for _ in steps.ends])
    for code, name, step, days, count in rows.iterator():
        found[Who(code, name)][step][days] = count
    return dict(found)


def _amounts(customer: Customer, start: datetime.date, end: datetime.date) -> dict[Who, Amounts]:
    rows = (
        answered(customer, start, end)
        .values_list("payer__code", "payer__name")
        .annotate(
            count=Count("pk"),
            refused=Count("pk", filter=Q(denied=True)),
            billed=Sum("billed_amount"),
            paid=Sum("paid_amount"),
            billed_of_paid=Sum("billed_amount", filter=Q(denied=False)),
            paid_of_paid=Sum("paid_amount", filter=Q(denied=False)),
        )
        .order_by("payer__code")
    )
    return {Who(code, name): Amounts(count, denied, *map(amount, sums)) for code, name, count, denied, *sums in rows}


def _waiting(customer: Customer, end: datetime.date) -> dict[Who, tuple[Open, ...]]:
    unanswered = Q(paid_date=None, denied=False) | Q(paid_date__gt=end)
    ages = [_age(end, low, high) for _, low, high in AGES]
    counted = {f"count_{number}": Count("pk", filter=age) for number, age in enumerate(ages)}
    summed = {f"sum_{number}": Sum("billed_amount", filter=age) for number, age in enumerate(ages)}
    rows = (
        Claim.objects.filter(unanswered, customer=customer, submitted_date__lte=end)
        .values_list("payer__code", "payer__name")
        .annotate(**counted, **summed)
        .order_by("payer__code")
    )
    return {
        Who(code, name): tuple(
            Open(count, amount(billed)) for count, billed in zip(both[: len(AGES)], both[len(AGES) :], strict=True)
        )
        for code, name, *both in rows
    }


def _age(end: datetime.date, low: int, high: int | None) -> Q:
    age = Q(submitted_date__lte=end - datetime.timedelta(days=low))
    return age if high is None else age & Q(submitted_date__gte=end - datetime.timedelta(days=high))
