"""A customer's data quality over its last days, kept day by day, so that a trend can be seen and a gauge is right."""

from __future__ import annotations

import datetime

from django.db.models import F, FloatField, Sum
from django.db.models.functions import Cast

from upstream import jobs, metrics
from upstream.models import QualityScore, QualitySnapshot

KIND = "quality"
"""The kind of job that takes a snapshot."""
DAYS = 30
"""The days, up to the snapshot's own, whose batches it covers."""


def sync(run: jobs.Run) -> None:
    """Take the snapshot of one day: each score of the batches received in DAYS, weighted by their rows."""
    day = datetime.date.fromisoformat(run.job.arguments["day"])
    since = day - datetime.timedelta(days=DAYS - 1)
    scores = (
        QualityScore.objects.filter(
            batch__customer=run.customer,
            batch__received_at__date__range=(since, day),
            batch__row_count__gt=0,
        )
        .values("metric_type")
        .annotate(
            weighted=Sum(F("score") * Cast("batch__row_count", FloatField()))
            / Sum(Cast("batch__row_count", FloatField()))
        )
        .values_list("metric_type", "weighted")
    )
    # In one order, so that two jobs for one day do not each wait for the other.
    found = {metric_type: min(1.0, max(0.0, score)) for metric_type, score in sorted(scores)}
    with run.completing():
        for metric_type, score in found.items():
            QualitySnapshot.objects.update_or_create(
                customer=run.customer, day=day, metric_type=metric_type, defaults={"score": score}
            )
        run.result = {"day": day.isoformat(), "scores": found}
    for metric_type, score in found.items():
        metrics.track_data_quality_score(run.customer.code, metric_type, score)
