"""One comparison of all payers in every respect: tests, corrected together, and what is told of them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from upstream.detection import adjustments, ageing, code_mapping, delay_guard, denial_scope, significance
from upstream.detection.counts import Counts
from upstream.detection.finding import MIN_RATE_CHANGE, Finding
from upstream.models import DriftEvent

ALPHA = 0.001
"""The chance of any false alarm in one pass over all payers and all tests: with a pass a day, one in years."""
PRODUCTS = {
    DriftEvent.DriftType.DENIAL_RATE: "DenialScope",
    DriftEvent.DriftType.PAYMENT_DELAY: "DelayGuard",
    DriftEvent.DriftType.ADJUSTMENT_PATTERN: "DriftWatch",
    DriftEvent.DriftType.CODE_MAPPING_CHANGE: "DriftWatch",
    DriftEvent.DriftType.AR_AGING: "DriftWatch",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be told, gravest first, and how many seconds each product took to count and test."""

    findings: list[Finding]
    seconds: dict[str, float]


def compare(counts: Counts) -> Comparison:
    """Have every detector look at its counts, and tell what is significant over all of them (Holm) and matters.

    Only a change for the worse counts. `without_repetition` has what is left out of one cause's findings.
    """
    seconds: dict[str, float] = {}
    tests: list[Finding] = []
    with _timed("DelayGuard", seconds):
        delays = counts.delays()
        tests += delay_guard.examine(delays)
    with _timed("DenialScope", seconds):
        tests += denial_scope.examine(counts.denials())
    with _timed("DriftWatch", seconds):
        tests += adjustments.examine(counts.adjustments())
        tests += code_mapping.examine(counts.codes())
        later = {payer: delay_guard.days_later(values) for payer, values in delays.items()}
        tests += ageing.examine(counts.open_claims(), later)
    significant = significance.holm([finding.p_value for finding in tests], ALPHA)
    found = [finding for finding, is_real in zip(tests, significant, strict=True) if is_real and finding.matters]
    told = without_repetition(found, tests)
    return Comparison(sorted(told, key=lambda finding: -finding.severity), seconds)


def without_repetition(found: Iterable[Finding], tests: Iterable[Finding]) -> list[Finding]:
    """What is found, less what says the same again of a payer as a whole and of its parts (reasons, or codes).

    Where more than half of the parts tested are found, and more than one, it is the payer that drifts: only the
    payer as a whole is told. Else the parts are told; the payer as a whole besides only where its rate rises by
    MIN_RATE_CHANGE without what the parts add to it. Nothing is told that was not found.
    """
    by_payer: defaultdict[tuple[int, str], list[Finding]] = defaultdict(list)
    tested: defaultdict[tuple[int, str], int] = defaultdict(int)
    for finding in tests:
        tested[finding.payer_id, finding.drift_type] += finding.subject != ""
    for finding in found:
        by_payer[finding.payer_id, finding.drift_type].append(finding)
    told: list[Finding] = []
    for key, findings in by_payer.items():
        whole = [finding for finding in findings if not finding.subject]
        parts = [finding for finding in findings if finding.subject]
        if whole and len(parts) > max(1, tested[key] / 2):
            told += whole
        elif whole and parts and _rest(whole[0], parts) < MIN_RATE_CHANGE:
            told += parts
        else:
            told += findings
    return told


def _rest(whole: Finding, parts: Sequence[Finding]) -> float:
    """By how much the rate of a payer as a whole rises without what its parts add."""
    new = sum(part.current * part.current_size for part in parts) / whole.current_size
    old = sum(part.baseline * part.baseline_size for part in parts) / whole.baseline_size
    return (whole.current - new) - (whole.baseline - old)


@contextmanager
def _timed(product: str, seconds: dict[str, float]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[product] = time.perf_counter() - began
