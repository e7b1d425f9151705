"""DenialScope: payers that deny more, as a whole or for a reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from upstream.detection import significance
from upstream.detection.counts import Denials
from upstream.detection.finding import MIN_CLAIMS, Finding, of_rates
from upstream.models import DriftEvent


def examine(payers: Mapping[int, Denials]) -> Iterator[Finding]:
    """Whether more of the answered claims are denied: a test for each payer, and one for each reason.

    A reason's test asks for more than its rate to rise: its share of the denials must rise too, and its rate
    above what it would be had it only kept its share of the payer's denials. So a payer that denies more for
    all reasons alike is found once, and a payer that denies more for one reason is found by that reason.
    """
    for payer, denials in sorted(payers.items()):
        if min(denials.answered) >= MIN_CLAIMS:
            yield of_rates(
                payer,
                DriftEvent.DriftType.DENIAL_RATE,
                (denials.denied[0], denials.answered[0]),
                (denials.denied[1], denials.answered[1]),
            )
            for reason, denied in sorted(denials.reasons.items()):
                yield _of_reason(payer, denials, reason, denied)


def _of_reason(payer: int, denials: Denials, reason: str, denied: tuple[int, int]) -> Finding:
    old, new = (denied[0], denials.answered[0]), (denied[1], denials.answered[1])
    # Without denials in the baseline there is no share to compare, and the second p-value below is 1.
    kept = denied[0] / denials.denied[0] if denials.denied[0] else 0.0
    expected = max(old[0] / old[1], kept * denials.denied[1] / new[1])
    return of_rates(
        payer,
        DriftEvent.DriftType.DENIAL_RATE,
        old,
        new,
        subject=reason,
        # Both must hold, so the larger p-value is that of both.
        p_value=max(
            significance.rate_increase(old, new),
            significance.rate_increase((denied[0], denials.denied[0]), (denied[1], denials.denied[1])),
        ),
        change=new[0] / new[1] - expected,
    )
