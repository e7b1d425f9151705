"""Compares each payer's recent window with its baseline, in plain numbers."""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from upstream.detection import significance
from upstream.models import DriftEvent

RECENT_DAYS = 30
BASELINE_DAYS = 90
ALPHA = 0.001
"""The chance of any false alarm in one pass over all payers and both tests: with a pass a day, one in years."""
MIN_CLAIMS = 50
"""Answered claims (paid claims for the delay) that each window needs before a payer is judged."""
MIN_EXPECTED = 5
"""Denials and non-denials that each window must expect for the two-proportion test to hold."""
MIN_RATE_CHANGE = 0.03
MIN_DELAY_EFFECT = 0.15
"""Cliff's delta from which a shift is more than negligible (0.147 by Romano and others)."""
FULL_RATE_EFFECT = 0.8
"""Cohen's h at which the severity reaches 1: what counts as a large effect."""
FULL_DELAY_EFFECT = 0.6
"""Cliff's delta at which the severity reaches 1; 0.474 counts as large."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The days compared, ends included; the baseline ends on the day before `recent_start`."""

    baseline_start: datetime.date
    recent_start: datetime.date
    end: datetime.date

    @classmethod
    def ending(cls, end: datetime.date) -> Windows:
        recent = end - datetime.timedelta(days=RECENT_DAYS - 1)
        return cls(recent - datetime.timedelta(days=BASELINE_DAYS), recent, end)


@dataclass(slots=True)
class Sample:
    """One payer's answered claims in one window; `delays` counts the paid ones by days from submission."""

    answered: int = 0
    denied: int = 0
    delays: Counter[int] = field(default_factory=Counter)

    def add(self, delay: int, denied: bool, count: int) -> None:
        self.answered += count
        if denied:
            self.denied += count
        else:
            self.delays[delay] += count


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


Answer = tuple[int, datetime.date, datetime.date, bool, int]
"""Payer, day of submission, day of the answer, whether it was a denial, number of such claims."""


def compare(answers: Iterable[Answer], windows: Windows) -> list[Finding]:
    """The findings that are significant over all payers (Holm) and matter, gravest first.

    A claim belongs to the window in which the payer answered it, so that claims still waiting bias neither rate.
    Only a change for the worse counts: more denials, later payments.
    """
    samples: defaultdict[int, tuple[Sample, Sample]] = defaultdict(lambda: (Sample(), Sample()))
    for payer, submitted, answered, denied, count in answers:
        if windows.baseline_start <= answered <= windows.end:
            samples[payer][answered >= windows.recent_start].add((answered - submitted).days, denied, count)
    tested = [finding for payer, pair in sorted(samples.items()) for finding in _test(payer, *pair)]
    significant = significance.holm([finding.p_value for finding in tested], ALPHA)
    found = [finding for finding, is_real in zip(tested, significant, strict=True) if is_real and finding.matters]
    return sorted(found, key=lambda finding: -finding.severity)


def _test(payer: int, baseline: Sample, current: Sample) -> Iterable[Finding]:
    if min(baseline.answered, current.answered) >= MIN_CLAIMS and _approximates(baseline, current):
        yield _denial_rate(payer, baseline, current)
    if min(baseline.delays.total(), current.delays.total()) >= MIN_CLAIMS:
        yield _payment_delay(payer, baseline.delays, current.delays)


def _approximates(baseline: Sample, current: Sample) -> bool:
    pooled = (baseline.denied + current.denied) / (baseline.answered + current.answered)
    return min(baseline.answered, current.answered) * min(pooled, 1 - pooled) >= MIN_EXPECTED


def _denial_rate(payer: int, baseline: Sample, current: Sample) -> Finding:
    old, new = baseline.denied / baseline.answered, current.denied / current.answered
    effect = significance.cohens_h(old, new)
    return Finding(
        payer_id=payer,
        drift_type=DriftEvent.DriftType.DENIAL_RATE,
        baseline=old,
        current=new,
        baseline_size=baseline.answered,
        current_size=current.answered,
        effect=effect,
        p_value=significance.rate_increase((baseline.denied, baseline.answered), (current.denied, current.answered)),
        severity=_severity(effect / FULL_RATE_EFFECT),
        matters=new - old >= MIN_RATE_CHANGE,
    )


def _payment_delay(payer: int, baseline: Mapping[int, int], current: Mapping[int, int]) -> Finding:
    p_value, effect = significance.upward_shift(baseline, current)
    return Finding(
        payer_id=payer,
        drift_type=DriftEvent.DriftType.PAYMENT_DELAY,
        baseline=significance.median(baseline),
        current=significance.median(current),
        baseline_size=sum(baseline.values()),
        current_size=sum(current.values()),
        effect=effect,
        p_value=p_value,
        severity=_severity(effect / FULL_DELAY_EFFECT),
        matters=effect >= MIN_DELAY_EFFECT,
    )


def _severity(share: float) -> float:
    return max(0.0, min(1.0, share))
