"""What is told of a distribution that the database has counted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

_CENT = Decimal("0.01")


def quantile(counts: Mapping[int, int], share: float) -> int | None:
    """The least value that at least this share (above 0, up to 1) of the counted do not exceed; None of nothing.

    It is one of the values counted: half of the claims were paid within `quantile(days, 0.5)` days.
    """
    wanted = math.ceil(sum(counts.values()) * share)
    for value in sorted(counts):
        wanted -= counts[value]
        if wanted <= 0:
            return value
    return None


def ratio(part: float | Decimal, whole: float | Decimal) -> float | None:
    """A part of a whole; None of nothing."""
    return float(part) / float(whole) if whole else None


def amount(value: Decimal | None) -> Decimal:
    """A sum of money from the database, where it may be None and, in SQLite, a little beside the cent."""
    return (value or Decimal(0)).quantize(_CENT)
