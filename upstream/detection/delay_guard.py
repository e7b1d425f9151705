"""DelayGuard: payers that pay later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from upstream.detection import significance
from upstream.detection.counts import Values
from upstream.detection.finding import FULL_SHIFT_EFFECT, MIN_SHIFT_EFFECT, Finding, enough, severity
from upstream.models import DriftEvent


def examine(payers: Mapping[int, Values]) -> Iterator[Finding]:
    """Whether the days from submission to payment have become more, a test for each payer with claims enough."""
    for payer, values in sorted(payers.items()):
        if enough(values):
            effect = significance.cliffs_delta(*values)
            yield Finding(
                payer_id=payer,
                drift_type=DriftEvent.DriftType.PAYMENT_DELAY,
                baseline=significance.median(values[0]),
                current=significance.median(values[1]),
                baseline_size=sum(values[0].values()),
                current_size=sum(values[1].values()),
                effect=effect,
                p_value=significance.upward_shift(*values),
                severity=severity(effect / FULL_SHIFT_EFFECT),
                matters=effect >= MIN_SHIFT_EFFECT,
            )


def days_later(values: Values) -> int:
    """By how many days payments come later: how far the median has risen, where the shift matters at all."""
    if not enough(values) or significance.cliffs_delta(*values) < MIN_SHIFT_EFFECT:
        return 0
    return max(0, round(significance.median(values[1]) - significance.median(values[0])))
