"""Makes claims up, reproducibly: the same arguments give the same bytes, and at most one payer drifts."""

from __future__ import annotations

import csv
import datetime
import itertools
import random
from collections.abc import Iterator
from typing import TextIO

from upstream.ingestion.reader import COLUMNS

PAYERS = {
    "aetna": "Aetna",
    "anthem": "Anthem",
    "cigna": "Cigna",
    "humana": "Humana",
    "medicare": "Medicare",
    "united": "UnitedHealthcare",
}
DEFAULT_END = datetime.date(2025, 6, 30)

_SPAN_DAYS = 210
_DRIFT_DAYS = 30
_DRIFT_DELAY = 12
_DENIAL_RATE = 0.08
_DRIFT_DENIAL_RATE = 0.28
_PROCEDURES = ("99213", "99214", "99203", "80053", "85025", "93000", "71046", "J1885", "G0439", "97110")
_REASONS = ("prior authorization missing", "not covered", "duplicate", "coding error", "timely filing")


def claims(
    rows: int, seed: int, customer: str, drift_payer: str | None, end: datetime.date = DEFAULT_END
) -> Iterator[tuple[str, ...]]:
    """Rows of a claims file in the order of `COLUMNS`, as known at the end of the day `end`.

    From 30 days before `end` on, `drift_payer` answers everything 12 days later and denies 28 % instead
    of 8 %. None for no drift. Answers after `end` are not known yet: such claims are still waiting.

    Raises:
        ValueError: `rows` is less than 1, or the payer is not one of `PAYERS`.
    """
    if rows < 1:
        raise ValueError(f"rows: {rows} is less than 1")
    if drift_payer is not None and drift_payer not in PAYERS:
        raise ValueError(f"drift payer: {drift_payer!r} is not one of {', '.join(PAYERS)}")
    # The seed decides everything; nothing here is a secret.
    chance = random.Random(seed)  # noqa: S311
    onset = end - datetime.timedelta(days=_DRIFT_DAYS - 1)
    return (_row(chance, number, customer, drift_payer, onset, end) for number in range(1, rows + 1))


def write(rows: Iterator[tuple[str, ...]], out: TextIO) -> None:
    """Write a header and the rows as CSV, one at a time."""
    csv.writer(out, lineterminator="\n").writerows(itertools.chain([COLUMNS], rows))


def _row(
    chance: random.Random,
    number: int,
    customer: str,
    drift_payer: str | None,
    onset: datetime.date,
    end: datetime.date,
) -> tuple[str, ...]:
    payer = chance.choice(tuple(PAYERS))
    submitted = end - datetime.timedelta(days=chance.randrange(_SPAN_DAYS))
    service = submitted - datetime.timedelta(days=chance.randint(1, 20))
    answered = submitted + datetime.timedelta(days=min(60, max(3, round(chance.lognormvariate(3.0, 0.35)))))
    denial_rate = _DENIAL_RATE
    if payer == drift_payer and answered >= onset:
        answered += datetime.timedelta(days=_DRIFT_DELAY)
        denial_rate = _DRIFT_DENIAL_RATE
    billed = chance.randint(4_000, 90_000)
    paid = billed * chance.randint(55, 95) // 100
    denied = chance.random() < denial_rate
    reason = chance.choice(_REASONS)
    waiting = answered > end
    return (
        customer,
        payer,
        f"{customer}-{number:09d}",
        chance.choice(_PROCEDURES),
        _amount(billed),
        "" if waiting else _amount(0 if denied else paid),
        service.isoformat(),
        submitted.isoformat(),
        "" if waiting else answered.isoformat(),
        "true" if denied and not waiting else "false",
        reason if denied and not waiting else "",
    )


def _amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
