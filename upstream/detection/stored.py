"""Counts the claims in the database: what comes back is a row for each value, not for each claim."""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import BigIntegerField, Count, DurationField, ExpressionWrapper, F, Max, Q, QuerySet, Window
from django.db.models.functions import Cast, Coalesce, Round, RowNumber

from upstream.detection.counts import MAX_AGE, MAX_REASONS, Codes, Denials, Pair, Snapshot, Values
from upstream.detection.windows import RECENT_DAYS, Windows
from upstream.models import Claim, Customer

_DAY = datetime.timedelta(days=1)


def last_answer(customer: Customer) -> datetime.date | None:
    """The last day on which any payer answered a claim of the customer, if there is one."""
    answered = Claim.objects.filter(customer=customer, paid_date__isnull=False)
    last: datetime.date | None = answered.aggregate(last=Max("paid_date"))["last"]
    return last


@dataclass(frozen=True, slots=True)
class StoredCounts:
    """The `Counts` of the claims that are in the database."""

    customer: Customer
    windows: Windows

    def denials(self) -> dict[int, Denials]:
        """Answered and denied claims."""
        answered: defaultdict[int, dict[bool, Pair]] = defaultdict(dict)
        for payer, denied, *pair in self._pairs(self._answered(), "payer_id", "denied"):
            answered[payer][denied] = (pair[0], pair[1])
        reasons: defaultdict[int, dict[str, Pair]] = defaultdict(dict)
        ranked = (
            self._pairs(self._answered().filter(denied=True).exclude(denial_reason=""), "payer_id", "denial_reason")
            .annotate(total=Count("pk"))
            .annotate(
                rank=Window(RowNumber(), partition_by=F("payer_id"), order_by=[F("total").desc(), "denial_reason"])
            )
            .filter(rank__lte=MAX_REASONS)
        )
        for payer, reason, old, new, *_ in ranked:
            reasons[payer][reason] = (old, new)
        nothing = (0, 0)
        return {
            payer: Denials(
                answered=_sum(counts.get(True, nothing), counts.get(False, nothing)),
                denied=counts.get(True, nothing),
                reasons=reasons[payer],
            )
            for payer, counts in answered.items()
        }

    def delays(self) -> dict[int, Values]:
        """Paid claims by days from submission to payment."""
        waited = ExpressionWrapper(F("paid_date") - F("submitted_date"), output_field=DurationField())
        counted = self._pairs(self._paid().annotate(waited=waited), "payer_id", "waited")
        return _values((payer, waited.days, old, new) for payer, waited, old, new in counted.iterator())

    def adjustments(self) -> dict[int, Values]:
        """Paid claims by the share of the bill that was not paid, in whole percent rounded down."""
        # In whole cents, because SQLite would compute amounts in floating point.
        billed, paid = (Cast(Round(F(name) * 100), BigIntegerField()) for name in ("billed_amount", "paid_amount"))
        share = ExpressionWrapper((billed - paid) * 100 / billed, output_field=BigIntegerField())
        return _values(self._pairs(self._paid().annotate(share=share), "payer_id", "share").iterator())

    def codes(self) -> dict[int, Codes]:
        """Paid claims by procedure code."""
        payers: defaultdict[int, defaultdict[str, dict[str, Pair]]] = defaultdict(lambda: defaultdict(dict))
        counted = self._pairs(self._paid(), "payer_id", "procedure_code", "adjudicated_code")
        for payer, code, target, old, new in counted.iterator():
            payers[payer][code][target] = (old, new)
        return dict(payers)

    def open_claims(self) -> dict[int, tuple[Snapshot, Snapshot]]:
        """Claims of at most MAX_AGE days, on the last day of the baseline and on that of the recent window.

        Where answers are on file only up to an earlier day, the two days are as much earlier: after it, nothing
        is known to be open.
        """
        last = last_answer(self.customer)
        if last is None:
            return {}
        now = min(self.windows.end, last)
        before = now - RECENT_DAYS * _DAY
        # Of a denial whose day is not told, nobody knows how long the claim was open.
        counted = (
            Claim.objects.filter(customer=self.customer, submitted_date__range=(before - MAX_AGE * _DAY, now))
            .exclude(paid_date=None, denied=True)
            .values_list("payer_id", "submitted_date")
            .annotate(
                submitted=Count("pk"),
                open_before=Count("pk", filter=Q(paid_date=None) | Q(paid_date__gt=before)),
                open_now=Count("pk", filter=Q(paid_date=None) | Q(paid_date__gt=now)),
            )
            .order_by()
        )
        snapshots: defaultdict[int, tuple[dict[int, Pair], dict[int, Pair]]] = defaultdict(lambda: ({}, {}))
        for payer, day, submitted, open_before, open_now in counted.iterator():
            for snapshot, on, still_open in zip(snapshots[payer], (before, now), (open_before, open_now), strict=True):
                if 0 <= (on - day).days <= MAX_AGE:
                    snapshot[(on - day).days] = (submitted, still_open)
        return dict(snapshots)

    def _answered(self) -> QuerySet[Claim]:
        # A denial whose day the file does not tell counts on the day of its submission.
        days = (self.windows.baseline_start, self.windows.end)
        return (
            Claim.objects.filter(customer=self.customer)
            .filter(Q(paid_date__range=days) | Q(paid_date=None, denied=True, submitted_date__range=days))
            .annotate(answered=Coalesce("paid_date", "submitted_date"))
        )

    def _paid(self) -> QuerySet[Claim]:
        return self._answered().filter(denied=False)

    def _pairs(self, claims: QuerySet[Claim], *by: str) -> QuerySet[Claim, Any]:
        """Tuples of what the claims are counted by, and their numbers in the baseline and in the recent window."""
        return (
            claims.values_list(*by)
            .annotate(
                old=Count("pk", filter=Q(answered__lt=self.windows.recent_start)),
                new=Count("pk", filter=Q(answered__gte=self.windows.recent_start)),
            )
            .order_by()
        )


def _values(counted: Iterable[tuple[int, int, int, int]]) -> dict[int, Values]:
    payers: defaultdict[int, tuple[Counter[int], Counter[int]]] = defaultdict(lambda: (Counter(), Counter()))
    for payer, value, old, new in counted:
        payers[payer][0][value] += old
        payers[payer][1][value] += new
    return dict(payers)


def _sum(one: Pair, other: Pair) -> Pair:
    return one[0] + other[0], one[1] + other[1]
