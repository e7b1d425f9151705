"""DriftWatch: payers that answer under another procedure code than was submitted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from upstream.detection.counts import Codes, Pair
from upstream.detection.finding import MIN_CLAIMS, Finding, of_rates
from upstream.models import DriftEvent

MAX_TARGETS = 5
"""The codes answered under that are looked at for each code submitted: those of the most claims."""
_CODES = DriftEvent.DriftType.CODE_MAPPING_CHANGE


def examine(payers: Mapping[int, Codes]) -> Iterator[Finding]:
    """Whether more of the paid claims are answered under another code: a test for each payer, and one for each code.

    Denied claims are left out: a denial needs no code. A code's test looks at the share of all codes but the
    submitted one, and at that of each such code, so that it finds another code in place of the usual one too.
    """
    for payer, codes in sorted(payers.items()):
        of = {code: _sum(targets.values()) for code, targets in codes.items()}
        whole = _sum(of.values())
        hits = _sum(pair for targets in codes.values() for target, pair in targets.items() if target)
        if min(whole) >= MIN_CLAIMS:
            yield of_rates(payer, _CODES, (hits[0], whole[0]), (hits[1], whole[1]))
        for code, targets in sorted(codes.items()):
            if min(of[code]) >= MIN_CLAIMS:
                yield _of_code(payer, code, of[code], targets)


def _of_code(payer: int, code: str, of: Pair, targets: Mapping[str, Pair]) -> Finding:
    others = sorted((pair for target, pair in targets.items() if target), key=sum, reverse=True)
    # Where there is one other code, its share is that of all.
    shares = [_sum(others), *(others[:MAX_TARGETS] if len(others) > 1 else [])]
    found = [of_rates(payer, _CODES, (old, of[0]), (new, of[1]), subject=code) for old, new in shares]
    best = min(found, key=lambda finding: (not finding.matters, finding.p_value))
    # One test of several shares (Bonferroni), so that a code is found once.
    return replace(best, p_value=min(1.0, best.p_value * len(shares)))


def _sum(pairs: Iterable[Pair]) -> Pair:
    old = new = 0
    for pair in pairs:
        old, new = old + pair[0], new + pair[1]
    return old, new
