"""How often each drift is found where it is planted, and how often anything is where nothing is."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import repeat
from multiprocessing import get_context

import django
import pytest

from upstream import generator
from upstream.detection.comparison import compare
from upstream.detection.windows import Windows
from upstream.generator import Drift, Planted
from upstream.tests.counted_rows import CountedRows

WINDOWS = Windows.ending(generator.DEFAULT_END)
PAYERS = {code: number for number, code in enumerate(generator.PAYERS)}

FOUND_AS = {
    Drift.PAYMENT_DELAY: ("payment_delay", ""),
    Drift.DENIAL_RATE: ("denial_rate", ""),
    Drift.DENIAL_REASON: ("denial_rate", generator.DRIFTING_REASON),
    Drift.ADJUSTMENT_PATTERN: ("adjustment_pattern", ""),
    Drift.CODE_MAPPING_CHANGE: ("code_mapping_change", generator.DRIFTING_PROCEDURE),
    Drift.AR_AGING: ("ar_aging", ""),
}

FOUND = {
    # Drift: at least this share of the files of 20,000 claims, of 50,000 claims. One procedure of ten of one
    # payer of six has some 44 paid claims in the 30 days of a file of 20,000: that is few.
    Drift.PAYMENT_DELAY: (1.0, 1.0),
    Drift.DENIAL_RATE: (0.98, 1.0),
    Drift.DENIAL_REASON: (0.95, 1.0),
    Drift.ADJUSTMENT_PATTERN: (1.0, 1.0),
    Drift.CODE_MAPPING_CHANGE: (0.70, 0.98),
    Drift.AR_AGING: (0.98, 1.0),
}
FALSE_ALARMS = 0.01
"""At most this share of the files without drift raises anything at all; that is, none of 20.

The same of files with drift: anything but what is planted, on another payer or in another respect.
"""
REPEATED = 0.02
"""In at most this share of the files, a drift of one reason or code is told of the payer as a whole too, or instead."""
SIZES = {20_000: 0, 50_000: 1}


@dataclass(slots=True)
class Measured:
    """What came of so many files with each drift on another payer, and as many without any."""

    found: Counter[Drift] = field(default_factory=Counter)
    elsewhere: int = 0
    repeated: int = 0
    alarmed: int = 0


def told(rows: int, seed: int, planted: Planted) -> set[tuple[int, str, str]]:
    counts = CountedRows(generator.claims(rows, seed, "mercy", planted), WINDOWS, PAYERS)
    return {(found.payer_id, str(found.drift_type), found.subject) for found in compare(counts).findings}


def measure_one(rows: int, seed: int) -> Measured:
    codes = list(generator.PAYERS)
    planted = {drift: codes[(seed + turn) % len(codes)] for turn, drift in enumerate(Drift)}
    expected = {(PAYERS[payer], *FOUND_AS[drift]): drift for drift, payer in planted.items()}
    found = told(rows, seed, [(payer, drift) for drift, payer in planted.items()])
    others = found - expected.keys()
    repeated = {finding for finding in others if finding[:2] in {key[:2] for key in expected}}
    return Measured(
        Counter(expected[finding] for finding in found & expected.keys()),
        elsewhere=bool(others - repeated),
        repeated=bool(repeated),
        alarmed=bool(told(rows, 10_000 + seed, ())),
    )


@cache
def measure(files: int, rows: int) -> Measured:
    """All files, by as many processes as there are processors."""
    measured = Measured()
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=django.setup) as pool:
        for one in pool.map(measure_one, repeat(rows), range(files), chunksize=5):
            measured.found.update(one.found)
            measured.elsewhere += one.elsewhere
            measured.repeated += one.repeated
            measured.alarmed += one.alarmed
    return measured


def check_found(drift: Drift, files: int, rows: int) -> None:
    rate = measure(files, rows).found[drift] / files
    floor = FOUND[drift][SIZES[rows]]
    assert rate >= floor, f"{drift}: found in {rate:.1%} of {files} files of {rows:,} claims, to be {floor:.0%}"


def check_false_alarms(files: int, rows: int) -> None:
    measured = measure(files, rows)
    assert measured.alarmed <= FALSE_ALARMS * files, f"{measured.alarmed} of {files} files without drift raise alarms"
    assert measured.elsewhere <= FALSE_ALARMS * files, f"{measured.elsewhere} of {files} files: found what is not there"
    assert measured.repeated <= REPEATED * files, f"{measured.repeated} of {files} files: found twice or too widely"


class TestIn20Files:
    @pytest.mark.parametrize("drift", list(Drift))
    def test_what_is_planted_is_found(self, drift: Drift) -> None:
        check_found(drift, 20, 20_000)

    def test_what_is_not_planted_is_not_found(self) -> None:
        check_false_alarms(20, 20_000)


@pytest.mark.slow
class TestIn200Files:
    @pytest.mark.parametrize("rows", list(SIZES))
    @pytest.mark.parametrize("drift", list(Drift))
    def test_what_is_planted_is_found(self, drift: Drift, rows: int) -> None:
        check_found(drift, 200, rows)

    @pytest.mark.parametrize("rows", list(SIZES))
    def test_what_is_not_planted_is_not_found(self, rows: int) -> None:
        check_false_alarms(200, rows)
