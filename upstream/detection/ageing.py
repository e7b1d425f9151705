"""DriftWatch: payers that leave claims open for longer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from upstream.detection import significance
from upstream.detection.counts import Snapshot
from upstream.detection.finding import MIN_CLAIMS, MIN_SHIFT_EFFECT, Finding, severity
from upstream.models import DriftEvent

FULL_EFFECT = 0.474
"""Cliff's delta at which the severity reaches 1: what counts as large; most open claims are young whatever drifts."""


def examine(payers: Mapping[int, tuple[Snapshot, Snapshot]], days_later: Mapping[int, int]) -> Iterator[Finding]:
    """Whether the claims still open have become older than they would be by the payer's former ways, by payer.

    Most open claims are merely not answered yet, and how many of which age depends on how many were submitted
    when: a customer that submits less has older open claims. So like is compared with like: of the claims of one
    age, the share that is open now with that before (Mantel-Haenszel over the ages), and the ages of those open
    now with the ages expected (as many claims as are of each age now, as many of them open as before).

    A payer that pays later, by `days_later`, is expected to leave claims open for as much longer: that is told
    as payment delay, and as ageing only where it goes beyond. Claims open on both days count on both, each time
    with those of their age; they make the two days more alike, and a false alarm less likely.
    """
    for payer, (before, now) in sorted(payers.items()):
        strata = _by_age(before, now, days_later.get(payer, 0))
        expected = {age: hits / trials * new_trials for age, (hits, trials, _, new_trials) in strata.items()}
        open_now = {age: hits for age, (_, _, hits, _) in strata.items()}
        open_before = sum(hits for hits, _, _, _ in strata.values())
        if min(open_before, sum(open_now.values())) < MIN_CLAIMS:
            continue
        effect = significance.cliffs_delta(expected, open_now)
        yield Finding(
            payer_id=payer,
            drift_type=DriftEvent.DriftType.AR_AGING,
            baseline=significance.median(expected),
            current=significance.median(open_now),
            baseline_size=open_before,
            current_size=sum(open_now.values()),
            effect=effect,
            p_value=significance.stratified_increase(strata.values()),
            severity=severity(effect / FULL_EFFECT),
            matters=effect >= MIN_SHIFT_EFFECT,
        )


def _by_age(before: Snapshot, now: Snapshot, later: int) -> dict[int, tuple[int, int, int, int]]:
    """Open and submitted claims before and now, by the age now; of those so much younger before."""
    strata = {}
    for age, (new_submitted, new_open) in sorted(now.items()):
        submitted, still_open = before.get(age - later, (0, 0))
        if submitted:
            strata[age] = (still_open, submitted, new_open, new_submitted)
    return strata
