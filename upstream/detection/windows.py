"""The days that a detection pass compares."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

RECENT_DAYS = 30
BASELINE_DAYS = 90


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
