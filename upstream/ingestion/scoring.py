"""How good a batch of claims is: four scores, each from 0 to 1 and 1 for the best."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from upstream.ingestion.validation import REQUIRED, Check, Verdict

TIMELY_DAYS = 30
"""A claim is submitted in time within so many days of the service."""

_INACCURATE = {Check.FORMAT, Check.RANGE, Check.REFERENCE}


@dataclass(slots=True)
class Tally:
    """What the scores are made of, counted row by row."""

    rows: int = 0
    accepted: int = 0
    failures: Counter[Check] = field(default_factory=Counter)
    """Failed checks by type; a row can fail several."""
    _filled: int = 0
    _inaccurate: int = 0
    _inconsistent: int = 0
    _timely: int = 0

    def add(self, verdict: Verdict) -> None:
        """Count one row, its duplicates decided."""
        checks = {reason.check for reason in verdict.reasons}
        self.rows += 1
        self.failures.update(reason.check for reason in verdict.reasons)
        self._filled += verdict.filled
        self._inaccurate += not checks.isdisjoint(_INACCURATE)
        self._inconsistent += verdict.contradicts or Check.DUPLICATE in checks
        if not verdict.reasons:
            self.accepted += 1
            waited = verdict.claim["submitted_date"] - verdict.claim["service_date"]
            self._timely += waited.days <= TIMELY_DAYS

    def scores(self) -> dict[str, float]:
        """The scores of at least one row.

        completeness: required fields that hold something, of all required fields of all rows.
        accuracy: rows whose values are well-formed, in range and refer to what exists, of all rows.
        timeliness: claims submitted within TIMELY_DAYS of the service, of the claims stored; 0 without any.
        consistency: rows that neither contradict themselves (dates out of order, a denial without a
        reason or with a payment, a payment above the bill, a claim that waits and yet was answered under
        a code) nor repeat a claim, of all rows.
        """
        return {
            "completeness": self._filled / (self.rows * len(REQUIRED)),
            "accuracy": 1 - self._inaccurate / self.rows,
            "timeliness": self._timely / self.accepted if self.accepted else 0.0,
            "consistency": 1 - self._inconsistent / self.rows,
        }
