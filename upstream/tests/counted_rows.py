"""Counts the rows of a claims file in memory, row by row: what the database is to come to as well."""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cache

from upstream.detection.counts import MAX_AGE, MAX_REASONS, Codes, Denials, Pair, Snapshot, Values
from upstream.detection.windows import RECENT_DAYS, Windows

day = cache(datetime.date.fromisoformat)
_DAY = datetime.timedelta(days=1)


class CountedRows:
    """The `Counts` of rows as `upstream.generator` makes them; payers are numbered by `payers`."""

    def __init__(self, rows: Iterable[tuple[str, ...]], windows: Windows, payers: dict[str, int]) -> None:
        self._answered: Counter[tuple[int, int]] = Counter()
        self._reasons: Counter[tuple[int, str, int]] = Counter()
        self._delays: Counter[tuple[int, int, int]] = Counter()
        self._adjustments: Counter[tuple[int, int, int]] = Counter()
        self._codes: Counter[tuple[int, str, str, int]] = Counter()
        self._submitted: list[tuple[int, datetime.date, datetime.date | None]] = []
        for _, code, _, procedure, billed, paid, _, submitted, answered, denied, reason, adjudicated in rows:
            payer, sent = payers[code], day(submitted)
            self._submitted.append((payer, sent, day(answered) if answered else None))
            if not answered or not windows.baseline_start <= day(answered) <= windows.end:
                continue
            window = int(day(answered) >= windows.recent_start)
            self._answered[payer, window] += 1
            if denied == "true":
                self._reasons[payer, reason, window] += 1
                continue
            cents, paid_cents = int(billed.replace(".", "")), int(paid.replace(".", ""))
            self._delays[payer, (day(answered) - sent).days, window] += 1
            self._adjustments[payer, (cents - paid_cents) * 100 // cents, window] += 1
            self._codes[payer, procedure, adjudicated, window] += 1
        last = max((answer for *_, answer in self._submitted if answer), default=windows.end)
        self._now = min(windows.end, last)

    def denials(self) -> dict[int, Denials]:
        found = {}
        for payer in {payer for payer, _ in self._answered}:
            reasons: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
            for (of, reason, window), number in self._reasons.items():
                if of == payer:
                    reasons[reason][window] += number
            first = sorted(reasons.items(), key=lambda item: (-sum(item[1]), item[0]))[:MAX_REASONS]
            found[payer] = Denials(
                answered=(self._answered[payer, 0], self._answered[payer, 1]),
                denied=(sum(old for old, _ in reasons.values()), sum(new for _, new in reasons.values())),
                reasons={reason: (old, new) for reason, (old, new) in first},
            )
        return found

    def delays(self) -> dict[int, Values]:
        return _values(self._delays)

    def adjustments(self) -> dict[int, Values]:
        return _values(self._adjustments)

    def codes(self) -> dict[int, Codes]:
        found: defaultdict[int, defaultdict[str, dict[str, Pair]]] = defaultdict(lambda: defaultdict(dict))
        for payer, code, target, _ in self._codes:
            found[payer][code][target] = (
                self._codes[payer, code, target, 0],
                self._codes[payer, code, target, 1],
            )
        return dict(found)

    def open_claims(self) -> dict[int, tuple[Snapshot, Snapshot]]:
        days = (self._now - RECENT_DAYS * _DAY, self._now)
        found: defaultdict[int, tuple[dict[int, Pair], dict[int, Pair]]] = defaultdict(lambda: ({}, {}))
        for payer, sent, answered in self._submitted:
            for on, snapshot in zip(days, found[payer], strict=True):
                age = (on - sent).days
                if 0 <= age <= MAX_AGE:
                    submitted, still_open = snapshot.get(age, (0, 0))
                    snapshot[age] = (submitted + 1, still_open + (answered is None or answered > on))
        return dict(found)


def _values(counted: Counter[tuple[int, int, int]]) -> dict[int, Values]:
    found: defaultdict[int, tuple[Counter[int], Counter[int]]] = defaultdict(lambda: (Counter(), Counter()))
    for (payer, value, window), number in counted.items():
        found[payer][window][value] += number
    return dict(found)
