"""DriftWatch: payers that leave more of the bill unpaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from upstream.detection import significance
from upstream.detection.counts import Values
from upstream.detection.finding import (
    FULL_SHIFT_EFFECT,
    MIN_RATE_CHANGE,
    MIN_SHIFT_EFFECT,
    Finding,
    enough,
    severity,
)
from upstream.models import DriftEvent


def examine(payers: Mapping[int, Values]) -> Iterator[Finding]:
    """Whether payers leave more of the bill unpaid, a test for each: the whole distribution, and its mean too.

    The mean must rise by MIN_RATE_CHANGE, because where all bills are cut alike even one percent is a full shift.
    """
    for payer, values in sorted(payers.items()):
        if enough(values):
            old, new = (_mean(counts) / 100 for counts in values)
            effect = significance.cliffs_delta(*values)
            yield Finding(
                payer_id=payer,
                drift_type=DriftEvent.DriftType.ADJUSTMENT_PATTERN,
                baseline=old,
                current=new,
                baseline_size=sum(values[0].values()),
                current_size=sum(values[1].values()),
                effect=effect,
                p_value=significance.upward_shift(*values),
                severity=severity(effect / FULL_SHIFT_EFFECT),
                matters=effect >= MIN_SHIFT_EFFECT and new - old >= MIN_RATE_CHANGE,
            )


def _mean(counts: Mapping[int, int]) -> float:
    return sum(value * count for value, count in counts.items()) / sum(counts.values())
