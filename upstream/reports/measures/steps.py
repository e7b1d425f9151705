"""The days of a report, cut into equal steps along which a trend is shown."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from django.db.models import Case, IntegerField, Value, When

MAX_DAYS = 3660
"""The longest period of a report: ten years."""

_SIZES = ((21, 1, "day"), (420, 7, "week"), (MAX_DAYS, 28, "four weeks"))
_PARTS = 3


@dataclass(frozen=True, slots=True)
class Steps:
    """Days, weeks or four weeks, whichever suits the period; the last ends with it, the first takes what is left over.

    Weeks that end with the period are whole, where calendar weeks would leave its latest, which matters most, in part.
    """

    word: str
    start: datetime.date
    ends: tuple[datetime.date, ...]

    @classmethod
    def over(cls, start: datetime.date, end: datetime.date) -> Steps:
        """The steps from `start` to `end`, both included."""
        length = (end - start).days + 1
        size, word = next((size, word) for longest, size, word in _SIZES if length <= longest)
        count = max(1, length // size)
        return cls(word, start, tuple(end - datetime.timedelta(days=size * left) for left in reversed(range(count))))

    def __len__(self) -> int:
        return len(self.ends)

    def days(self, number: int) -> tuple[datetime.date, datetime.date]:
        """The first and the last day of a step."""
        return (self.ends[number - 1] + datetime.timedelta(days=1) if number else self.start), self.ends[number]

    def of(self, field: str) -> Case:
        """In the database, the number of the step that a date within the period falls into."""
        return Case(
            *(When(**{f"{field}__lte": end}, then=Value(number)) for number, end in enumerate(self.ends)),
            output_field=IntegerField(),
        )

    @property
    def latest(self) -> tuple[range, range]:
        """The last third of the steps, and the third before it, to tell what has changed; empty with fewer than 2."""
        part = max(1, len(self) // _PARTS)
        return range(len(self) - part, len(self)), range(max(0, len(self) - 2 * part), len(self) - part)

    def span(self, count: int) -> str:
        """So many steps in words, such as `the last 4 weeks`."""
        if self.word == "four weeks":
            return f"the last {4 * count} weeks"
        return f"the last {self.word}" if count == 1 else f"the last {count} {self.word}s"
