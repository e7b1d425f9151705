"""The quality of what came in: scores, refused rows by check and column, files."""

from __future__ import annotations

import datetime
import itertools
from collections import Counter
from dataclasses import dataclass

from django.db.models import Count, F, FloatField, Max, Q, QuerySet, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from upstream.models import ClaimBatch, Customer, QualityScore, QualitySnapshot, RejectedRow
from upstream.reports.measures.steps import Steps

METRICS = tuple(QualityScore.MetricType.values)


@dataclass(frozen=True, slots=True)
class Batch:
    """One file that was dealt with; its scores are in the order of METRICS, None for a file refused as a whole."""

    received: datetime.date
    filename: str
    status: str
    rows: int
    accepted: int
    rejected: int
    scores: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """What a quality dashboard rests on."""

    steps: Steps
    batches: list[Batch]
    """The newest first."""
    scores: dict[str, float]
    """For each metric with rows to score, over the whole period, weighted by rows."""
    trend: dict[str, list[float | None]]
    """For each metric and step, likewise."""
    rows: list[tuple[int, int]]
    """For each step, the rows stored and refused."""
    snapshots: dict[str, list[tuple[datetime.date, float]]]
    """For each metric, day by day, its score over the 30 days before."""
    refusals: dict[tuple[str, str], int]
    """How often each check failed on each column, the most often first; a row can fail several."""


def measure(customer: Customer, start: datetime.date, end: datetime.date) -> Quality:
    """The files received from `start` to `end`, and the snapshots taken then."""
    steps = Steps.over(start, end)
    batches = ClaimBatch.objects.filter(customer=customer, received_at__date__range=(start, end))
    batches = batches.exclude(status=ClaimBatch.Status.PROCESSING)
    scores = QualityScore.objects.filter(batch__in=batches, batch__row_count__gt=0)
    weighted = Sum(F("score") * Cast("batch__row_count", FloatField())) / Sum(Cast("batch__row_count", FloatField()))
    overall = scores.values_list("metric_type").annotate(weighted=weighted).order_by("metric_type")
    by_step = scores.annotate(step=steps.of("batch__received_at__date")).values_list("metric_type", "step")
    trend: dict[str, list[float | None]] = {metric: [None] * len(steps) for metric in METRICS}
    for metric, step, score in by_step.annotate(weighted=weighted).order_by("metric_type", "step"):
        trend[metric][step] = _bounded(score)
    return Quality(
        steps=steps,
        batches=_batches(batches),
        scores={metric: _bounded(score) for metric, score in overall},
        trend=trend,
        rows=_rows(batches, steps),
        snapshots=_snapshots(customer, start, end),
        refusals=_refusals(batches),
    )


def _bounded(score: float) -> float:
    """Sums of fractions may end a little beside 1."""
    return min(1.0, max(0.0, score))


def _batches(batches: QuerySet[ClaimBatch]) -> list[Batch]:
    scores = {f"score_{metric}": Max("scores__score", filter=Q(scores__metric_type=metric)) for metric in METRICS}
    rows = batches.annotate(**scores).order_by("-received_at", "-pk")
    return [
        Batch(received.date(), filename, status, count, accepted, rejected, tuple(each))
        for received, filename, status, count, accepted, rejected, *each in rows.values_list(
            "received_at", "filename", "status", "row_count", "accepted_count", "rejected_count", *scores
        ).iterator()
    ]


def _rows(batches: QuerySet[ClaimBatch], steps: Steps) -> list[tuple[int, int]]:
    found = [(0, 0)] * len(steps)
    rows = batches.annotate(step=steps.of("received_at__date")).values_list("step").order_by("step")
    for step, accepted, rejected in rows.annotate(stored=Sum("accepted_count"), refused=Sum("rejected_count")):
        found[step] = (accepted, rejected)
    return found


def _snapshots(
    customer: Customer, start: datetime.date, end: datetime.date
) -> dict[str, list[tuple[datetime.date, float]]]:
    found: dict[str, list[tuple[datetime.date, float]]] = {metric: [] for metric in METRICS}
    taken = QualitySnapshot.objects.filter(customer=customer, day__range=(start, end)).order_by("day", "metric_type")
    for metric, day, score in taken.values_list("metric_type", "day", "score"):
        found[metric].append((day, score))
    return found


def _refusals(batches: QuerySet[ClaimBatch]) -> dict[tuple[str, str], int]:
    refused = RejectedRow.objects.filter(batch__in=batches)
    found: Counter[tuple[str, str]] = Counter()
    # The reasons are a list in JSON: the database counts the first of all rows, then the second, and so on.
    for number in itertools.count():
        rows = (
            refused.annotate(check_type=KT(f"reasons__{number}__check"), column=KT(f"reasons__{number}__column"))
            .filter(check_type__isnull=False)
            .values_list("check_type", "column")
            .annotate(count=Count("pk"))
            .order_by()
        )
        counts = {(check, column or ""): count for check, column, count in rows}
        if not counts:
            break
        found.update(counts)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
