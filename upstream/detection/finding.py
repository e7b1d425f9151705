"""One test on one payer, and what makes a change large enough to be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from upstream.detection import significance
from upstream.models import DriftEvent

MIN_CLAIMS = 30
"""Claims that each window needs before a payer is judged by them."""
MIN_RATE_CHANGE = 0.03
MIN_SHIFT_EFFECT = 0.15
"""Cliff's delta from which a shift is more than negligible (0.147 by Romano and others)."""
FULL_RATE_EFFECT = 0.8
"""Cohen's h at which the severity reaches 1: what counts as a large effect."""
FULL_SHIFT_EFFECT = 0.6
"""Cliff's delta at which the severity reaches 1; 0.474 counts as large."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One test on one payer; the fields are those of `DriftEvent`."""

    payer_id: int
    drift_type: DriftEvent.DriftType
    baseline: float
    current: float
    baseline_size: int
    current_size: int
    effect: float
    p_value: float
    severity: float
    matters: bool
    """Whether the effect is large enough to be told, were it significant."""
    subject: str = ""


def of_rates(
    payer_id: int,
    drift_type: DriftEvent.DriftType,
    baseline: tuple[int, int],
    current: tuple[int, int],
    *,
    subject: str = "",
    p_value: float | None = None,
    change: float | None = None,
) -> Finding:
    """The finding on two rates, given as (hits, trials): whether it has risen.

    `p_value` and `change` are those of a stricter question, where one is asked.
    """
    old, new = baseline[0] / baseline[1], current[0] / current[1]
    effect = significance.cohens_h(old, new)
    return Finding(
        payer_id=payer_id,
        drift_type=drift_type,
        subject=subject,
        baseline=old,
        current=new,
        baseline_size=baseline[1],
        current_size=current[1],
        effect=effect,
        p_value=significance.rate_increase(baseline, current) if p_value is None else p_value,
        severity=severity(effect / FULL_RATE_EFFECT),
        matters=(new - old if change is None else change) >= MIN_RATE_CHANGE,
    )


def enough(values: tuple[Mapping[int, int], Mapping[int, int]]) -> bool:
    """Whether both windows have claims enough to be compared."""
    return min(sum(values[0].values()), sum(values[1].values())) >= MIN_CLAIMS


def severity(share: float) -> float:
    """A share of what counts as a full effect, as a severity from 0 to 1."""
    return max(0.0, min(1.0, share))
