"""Drift: the events of the passes that looked at the period, and what was done about them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from django.db.models import CharField, Count, F, Max, Min, Q, QuerySet, Window
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, RowNumber

from upstream.detection import KIND as DETECTION
from upstream.models import Customer, DriftEvent, Job
from upstream.reports.words import SEVERITIES, Who

_REASONS = (DriftEvent.Suppressed.DUPLICATE, DriftEvent.Suppressed.COOLDOWN, DriftEvent.Suppressed.NOISE_PATTERN)
_WHAT = ("payer__code", "payer__name", "drift_type", "subject")


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Events, those alerted, and those whose alert was suppressed, by the reason."""

    events: int
    alerted: int
    duplicate: int
    cooldown: int
    noise_pattern: int

    @property
    def below_threshold(self) -> int:
        """Events that deserved no alert."""
        return self.events - self.alerted - self.suppressed

    @property
    def suppressed(self) -> int:
        """Events that deserved an alert and raised none."""
        return self.duplicate + self.cooldown + self.noise_pattern


@dataclass(frozen=True, slots=True)
class Drift:
    """One payer that drifts in one way, however often it was found; the values are those of its gravest event."""

    who: Who
    drift_type: str
    subject: str
    severity: float
    baseline: float
    current: float
    baseline_size: int
    current_size: int
    effect: float
    window_start: datetime.date
    window_end: datetime.date
    events: int
    alerted: int
    first: datetime.date
    last: datetime.date


@dataclass(frozen=True, slots=True)
class Drifts:
    """What a drift summary rests on."""

    start: datetime.date
    end: datetime.date
    passes: int
    drifts: list[Drift]
    """The gravest first."""
    by_type: dict[str, Outcomes]
    by_payer: dict[Who, tuple[int, ...]]
    """For each payer, its events by severity, in the order of `words.SEVERITIES`."""
    by_day: list[tuple[datetime.date, Who, str, int, float]]
    """The last day that a pass compared, payer, drift type, events, and the severity of the gravest."""

    @property
    def outcomes(self) -> Outcomes:
        """Of all events."""
        each = self.by_type.values()
        return Outcomes(
            sum(one.events for one in each),
            sum(one.alerted for one in each),
            sum(one.duplicate for one in each),
            sum(one.cooldown for one in each),
            sum(one.noise_pattern for one in each),
        )


def measure(customer: Customer, start: datetime.date, end: datetime.date) -> Drifts:
    """The detection passes whose last day compared is from `start` to `end`, and their events."""
    events = DriftEvent.objects.filter(customer=customer, window_end__range=(start, end))
    passes = (
        Job.objects.filter(customer=customer, name=DETECTION, status=Job.Status.COMPLETED)
        .annotate(window_end=Cast(KT("result__window_end"), CharField()))
        .filter(window_end__gte=start.isoformat(), window_end__lte=end.isoformat())
    )
    return Drifts(start, end, passes.count(), _drifts(events), _by_type(events), _by_payer(events), _by_day(events))


def _drifts(events: QuerySet[DriftEvent]) -> list[Drift]:
    counted = events.values_list(*_WHAT).annotate(
        events=Count("pk"), alerts=Count("alert"), first=Min("window_end"), last=Max("window_end")
    )
    counts = {row[: len(_WHAT)]: row[len(_WHAT) :] for row in counted.order_by()}
    gravest = (
        events.annotate(
            place=Window(
                RowNumber(),
                partition_by=[F("payer"), F("drift_type"), F("subject")],
                order_by=[F("severity").desc(), F("window_end").desc(), F("pk").desc()],
            )
        )
        .filter(place=1)
        .order_by("-severity", "payer__code", "drift_type", "subject")
        .values_list(
            *_WHAT,
            *("severity", "baseline", "current", "baseline_size", "current_size", "effect"),
            *("window_start", "window_end"),
        )
    )
    return [
        Drift(Who(code, name), drift_type, subject, *values, *counts[code, name, drift_type, subject])
        for code, name, drift_type, subject, *values in gravest
    ]


def _by_type(events: QuerySet[DriftEvent]) -> dict[str, Outcomes]:
    reasons = {f"was_{reason}": Count("pk", filter=Q(suppressed=reason)) for reason in _REASONS}
    rows = events.values_list("drift_type").annotate(events=Count("pk"), alerts=Count("alert"), **reasons)
    return {drift_type: Outcomes(*counts) for drift_type, *counts in rows.order_by("drift_type")}


def _by_payer(events: QuerySet[DriftEvent]) -> dict[Who, tuple[int, ...]]:
    floors = [floor for _, floor in SEVERITIES]
    within = [
        Q(severity__gte=floor) & (Q(severity__lt=above) if above else Q())
        for floor, above in zip(floors, [*floors[1:], None], strict=True)
    ]
    counts = {f"level_{number}": Count("pk", filter=level) for number, level in enumerate(within)}
    rows = events.values_list("payer__code", "payer__name").annotate(**counts).order_by("payer__code")
    return {Who(code, name): tuple(levels) for code, name, *levels in rows}


def _by_day(events: QuerySet[DriftEvent]) -> list[tuple[datetime.date, Who, str, int, float]]:
    rows = (
        events.values_list("window_end", "payer__code", "payer__name", "drift_type")
        .annotate(count=Count("pk"), gravest=Max("severity"))
        .order_by("window_end", "payer__code", "drift_type")
    )
    return [(day, Who(code, name), drift_type, count, gravest) for day, code, name, drift_type, count, gravest in rows]
