"""How many series one record may have, and what becomes of the rest: OVERFLOW, with totals exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from telemetry.errors import SpecError
from telemetry.samples import Key
from telemetry.spec import OVERFLOW, Kind, Layout

SERIES = 2000
"""Series of one record that a process keeps apart unless told otherwise."""

OVERFLOWED = Layout("telemetry_series_overflow", Kind.SUM, ("stream",))
"""Measurements whose label value was replaced, by the name of their stream."""


class SeriesLimit:
    """Admits keys until a limit is reached; beyond it, replaces the offending label's value by OVERFLOW.

    The offender is the label whose distinct values broke its own budget; where the record as a whole has
    too many series, the label with the most distinct values. The other labels stay, so that sums over
    them are exact. At most `series` keys are kept as they are and at most as many again with a replaced
    value; what comes after those has one more label replaced, until nothing is left to replace.

    A key's parts are `(name, value, ...)` tuples, or plain values in the order of `labels`.

    Not for the hot path: ask once for each new key and remember the answer if it is the key itself.
    Threads may race to be the last one admitted; then a few keys more than the limit get in.

    Raises:
        SpecError: a limit or budget is below 1.
    """

    def __init__(
        self, series: int = SERIES, budgets: Mapping[str, int] | None = None, labels: tuple[str, ...] | None = None
    ) -> None:
        self._budgets = dict(budgets or {})
        for name, limit in (("series", series), *self._budgets.items()):
            if limit < 1:
                raise SpecError(f"series limit: {name!r} is {limit!r}; give a whole number of at least 1")
        self._series = series
        self._labels = labels
        self._kept: set[Key] = set()
        self._replaced: set[Key] = set()
        self._values: dict[str, set[object]] = {}
        self._widths: tuple[int, dict[str, int]] = 0, {}

    def admit(self, key: Key) -> Key:
        """The key under which a measurement is counted: `key` itself, or one with OVERFLOW in it."""
        if key in self._kept or not key:
            return key
        names = self._names(key)
        within = key
        for index, name in enumerate(names):
            budget = self._budgets.get(name)
            if budget is not None:
                seen = self._values.get(name, ())
                if len(seen) >= budget and self._value(key, index) not in seen:
                    within = self._replace(within, index)
        if within == key and len(self._kept) < self._series:
            self._kept.add(key)
            self._note(key, names)
            return key
        if within == key:
            within = self._replace(within, self._widest(names, within))
        while within not in self._replaced:
            if len(self._replaced) < self._series or all(
                self._value(within, index) == OVERFLOW for index in range(len(names))
            ):
                self._replaced.add(within)
                self._note(within, names)
            else:
                within = self._replace(within, self._widest(names, within))
        return within

    def _note(self, key: Key, names: Sequence[str]) -> None:
        """Remember the values of the labels that have a budget."""
        for index, name in enumerate(names):
            if name in self._budgets and self._value(key, index) != OVERFLOW:
                self._values.setdefault(name, set()).add(self._value(key, index))

    def _widest(self, names: Sequence[str], key: Key) -> int:
        """The label with the most distinct values among those not replaced yet."""
        open_ = [index for index in range(len(names)) if self._value(key, index) != OVERFLOW]
        widths = self._width_of_labels()
        return max(open_ or range(len(names)), key=lambda index: widths.get(names[index], 0))

    def _width_of_labels(self) -> dict[str, int]:
        """How many values each label has, counted when that is first asked: most records never reach a limit."""
        kept = tuple(self._kept)
        if self._widths[0] != len(kept):
            values: dict[str, set[object]] = {}
            for key in kept:
                for index, name in enumerate(self._names(key)):
                    values.setdefault(name, set()).add(self._value(key, index))
            self._widths = len(kept), {name: len(found) for name, found in values.items()}
        return self._widths[1] | {name: len(found) for name, found in self._values.items()}

    def _names(self, key: Key) -> Sequence[str]:
        return self._labels or [part[0] for part in key]  # type: ignore[index]

    def _value(self, key: Key, index: int) -> object:
        part = key[index]
        return part if self._labels else part[1]  # type: ignore[index]

    def _replace(self, key: Key, index: int) -> Key:
        part = OVERFLOW if self._labels else (key[index][0], OVERFLOW)  # type: ignore[index]
        return (*key[:index], part, *key[index + 1 :])
