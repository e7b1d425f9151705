"""The days of a report, cut into equal steps along which a trend is shown."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from django.db.models import Case, IntegerField, Value, When

MAX_DAYS = 3660
"""The longest period of a report: ten years."""

_SIZES = ((21, 1, "day"), (420, 7, "week"), (MAX_DAYS, 28, "four weeks"))
_MANY = 9


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
    def latest(self) -> Steps:
        """Two steps of the same length, to tell what has changed: the days before, and the latest.

        The latest are the last third of a long period; a short one is compared, as a whole, with the days before it.
        """
        end = self.ends[-1]
        first = self.start if len(self) < _MANY else self.days(len(self) - len(self) // 3)[0]
        length = (end - first) + datetime.timedelta(days=1)
        return Steps(self.word, first - length, (end - length, end))

    def compared(self, now: str, before: str) -> str:
        """What has risen, in words: from what it was in the days before to what it is."""
        latest = self.latest
        first, end = latest.days(1)
        length = _length((end - first).days + 1)
        when = "" if first == self.start else f" in the last {length}"
        return f"{now}{when}, up from {before} in the {length} before"

    @property
    def by(self) -> str:
        """How a trend over these steps is to be read, such as `by day`."""
        return f"by {self.word}" if self.word == "day" else f"by {self.word}, each named by its last day"


def _length(days: int) -> str:
    if days % 7 or days == 7:
        return "day" if days == 1 else f"{days} days"
    return f"{days // 7} weeks"
