"""What the detectors look at: one customer's claims, counted payer by payer, and nothing but counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

Pair = tuple[int, int]
"""How many in the baseline, how many in the recent window."""
Values = tuple[Mapping[int, int], Mapping[int, int]]
"""How many of each value in the baseline, how many in the recent window."""

MAX_REASONS = 20
"""The reasons of a payer that are looked at: those of the most denials, both windows together.

To choose by both together favours neither. A reason beyond has less than a 21st of the denials.
"""
MAX_AGE = 120
"""The age in days up to which open claims are looked at; nobody waits for older ones."""


@dataclass(frozen=True, slots=True)
class Denials:
    """One payer's answered claims, the denied among them, and these by reason (the MAX_REASONS most frequent)."""

    answered: Pair
    denied: Pair
    reasons: Mapping[str, Pair]


Codes = Mapping[str, Mapping[str, Pair]]
"""One payer's paid claims by the code submitted and the code answered under, which is empty for the same."""
Snapshot = Mapping[int, Pair]
"""One payer's claims by age in days on one day: how many were submitted, how many of them were open."""


class Counts(Protocol):
    """Counts by payer, as the database or anything else gives them.

    A claim belongs to the window in which the payer answered it, so that claims still waiting bias no rate.
    """

    def denials(self) -> Mapping[int, Denials]:
        """Answered and denied claims."""

    def delays(self) -> Mapping[int, Values]:
        """Paid claims by days from submission to payment."""

    def adjustments(self) -> Mapping[int, Values]:
        """Paid claims by the share of the bill that was not paid, in whole percent rounded down."""

    def codes(self) -> Mapping[int, Codes]:
        """Paid claims by procedure code."""

    def open_claims(self) -> Mapping[int, tuple[Snapshot, Snapshot]]:
        """Claims of at most MAX_AGE days, on the last day of the baseline and on that of the recent window."""
