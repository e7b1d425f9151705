"""Makes claims up, reproducibly: the same arguments give the same bytes, and only what is planted drifts."""

from __future__ import annotations

import csv
import datetime
import itertools
import random
from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import TextIO

from upstream.ingestion.reader import COLUMNS, OPTIONAL_COLUMNS

PAYERS = {
    "aetna": "Aetna",
    "anthem": "Anthem",
    "cigna": "Cigna",
    "humana": "Humana",
    "medicare": "Medicare",
    "united": "UnitedHealthcare",
}
DEFAULT_END = datetime.date(2025, 6, 30)
HEADER = COLUMNS + OPTIONAL_COLUMNS


class Drift(StrEnum):
    """What a payer can be made to do otherwise, in all that it answers in the last 30 days; `claims` has the figures.

    The names are those of the events' drift types, but for `denial_reason`: a denial rate that drifts in one reason.
    """

    PAYMENT_DELAY = "payment_delay"
    DENIAL_RATE = "denial_rate"
    DENIAL_REASON = "denial_reason"
    ADJUSTMENT_PATTERN = "adjustment_pattern"
    CODE_MAPPING_CHANGE = "code_mapping_change"
    AR_AGING = "ar_aging"


Planted = Collection[tuple[str, Drift]]
"""Payers and what each does otherwise."""

REASONS = ("prior authorization missing", "not covered", "duplicate", "coding error", "timely filing")
DRIFTING_REASON = REASONS[0]
# Each procedure and the one under which a payer answers where it sees less in a claim.
_PROCEDURES = {
    "99213": "99212",
    "99214": "99213",
    "99203": "99202",
    "80053": "80048",
    "85025": "85027",
    "93000": "93005",
    "71046": "71045",
    "J1885": "J3490",
    "G0439": "G0438",
    "97110": "97150",
}
DRIFTING_PROCEDURE = "99214"

_SPAN_DAYS = 210
_DRIFT_DAYS = 30
_DRIFT_DELAY = 12
_DENIAL_RATE = 0.08
_DRIFT_DENIAL_RATE = 0.28
_DRIFT_REASON_RATE = 0.11
_DRIFT_ADJUSTMENT = 12
_MAPPED = 0.02
_DRIFT_MAPPED = 0.30
_LOST = 0.01
_DRIFT_LOST = 0.30


def drifting(payer: str) -> Planted:
    """One payer that pays later and denies more."""
    return {(payer, Drift.PAYMENT_DELAY), (payer, Drift.DENIAL_RATE)}


def claims(
    rows: int, seed: int, customer: str, planted: Planted = (), end: datetime.date = DEFAULT_END
) -> Iterator[tuple[str, ...]]:
    """Rows of a claims file in the order of `HEADER`, as known at the end of the day `end`.

    A payer answers after 20 days (median), denies 8 % for five reasons alike, does not pay 25 % of the
    bill (mean), pays 2 % under another code and never answers 1 %. Answers after `end` are not known yet:
    such claims are still waiting.

    A payer that drifts does, in what it answers in the 30 days up to `end`:
    payment_delay: answers 12 days later.
    denial_rate: denies 28 %, for all reasons alike.
    denial_reason: denies 11 % besides, all for DRIFTING_REASON.
    adjustment_pattern: does not pay another 12 % of the bill.
    code_mapping_change: pays 30 % of the claims for DRIFTING_PROCEDURE under another code.
    ar_aging: leaves 30 % unanswered.

    Raises:
        ValueError: `rows` is less than 1, or a payer is not one of `PAYERS`, or a drift none of `Drift`.
    """
    if rows < 1:
        raise ValueError(f"rows: {rows} is less than 1")
    for payer, drift in planted:
        if payer not in PAYERS:
            raise ValueError(f"payer that drifts: {payer!r} is not one of {', '.join(PAYERS)}")
        if drift not in list(Drift):
            raise ValueError(f"drift of {payer}: {drift!r} is not one of {', '.join(Drift)}")
    # The seed decides everything; nothing here is a secret.
    chance = random.Random(seed)  # noqa: S311
    drifts = {name: {drift for payer, drift in planted if payer == name} for name in PAYERS}
    return (_row(chance, number, customer, drifts, end) for number in range(1, rows + 1))


def write(rows: Iterator[tuple[str, ...]], out: TextIO) -> None:
    """Write a header and the rows as CSV, one at a time."""
    csv.writer(out, lineterminator="\n").writerows(itertools.chain([HEADER], rows))


def _row(
    chance: random.Random, number: int, customer: str, drifts: dict[str, set[Drift]], end: datetime.date
) -> tuple[str, ...]:
    # Whatever drifts, each row draws as often, so that what does not drift stays the same.
    payer = chance.choice(tuple(PAYERS))
    procedure = chance.choice(tuple(_PROCEDURES))
    submitted = end - datetime.timedelta(days=chance.randrange(_SPAN_DAYS))
    service = submitted - datetime.timedelta(days=chance.randint(1, 20))
    answered = submitted + datetime.timedelta(days=min(60, max(3, round(chance.lognormvariate(3.0, 0.35)))))
    billed = chance.randint(4_000, 90_000)
    share = chance.randint(55, 95)
    to_deny, to_map, to_lose = chance.random(), chance.random(), chance.random()
    reason = chance.choice(REASONS)

    onset = end - datetime.timedelta(days=_DRIFT_DAYS - 1)
    drift = drifts[payer] if answered >= onset else set()
    rate = _DRIFT_DENIAL_RATE if Drift.DENIAL_RATE in drift else _DENIAL_RATE
    denied = to_deny < rate
    if not denied and Drift.DENIAL_REASON in drift and to_deny < rate + _DRIFT_REASON_RATE:
        denied, reason = True, DRIFTING_REASON
    if Drift.ADJUSTMENT_PATTERN in drift:
        share -= _DRIFT_ADJUSTMENT
    mapping_drifts = procedure == DRIFTING_PROCEDURE and Drift.CODE_MAPPING_CHANGE in drift
    mapped = to_map < (_DRIFT_MAPPED if mapping_drifts else _MAPPED)
    lost = to_lose < (_DRIFT_LOST if Drift.AR_AGING in drift else _LOST)
    if Drift.PAYMENT_DELAY in drift:
        answered += datetime.timedelta(days=_DRIFT_DELAY)
    waiting = lost or answered > end
    return (
        customer,
        payer,
        f"{customer}-{number:09d}",
        procedure,
        _amount(billed),
        "" if waiting else _amount(0 if denied else billed * share // 100),
        service.isoformat(),
        submitted.isoformat(),
        "" if waiting else answered.isoformat(),
        "true" if denied and not waiting else "false",
        reason if denied and not waiting else "",
        _PROCEDURES[procedure] if mapped and not denied and not waiting else "",
    )


def _amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
