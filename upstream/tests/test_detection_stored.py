"""What the database counts is what the files held."""

from __future__ import annotations

import datetime
import io
from decimal import Decimal
from typing import Any

import pytest

from upstream import generator
from upstream.detection.comparison import compare
from upstream.detection.counts import MAX_AGE, Denials
from upstream.detection.stored import StoredCounts, last_answer
from upstream.detection.windows import Windows
from upstream.generator import Drift
from upstream.ingestion import ingest_now
from upstream.models import Claim, ClaimBatch, Customer, Payer
from upstream.tests.counted_rows import CountedRows

END = generator.DEFAULT_END
DAY = datetime.timedelta(days=1)
WINDOWS = Windows.ending(END)
BEFORE = WINDOWS.recent_start - DAY
ALL = list(zip(generator.PAYERS, Drift, strict=True))


class TestWindows:
    def test_recent_is_30_days_and_baseline_the_90_before(self) -> None:
        expected = Windows(datetime.date(2025, 3, 3), datetime.date(2025, 6, 1), datetime.date(2025, 6, 30))
        assert expected == WINDOWS


@pytest.fixture
def store(db: None) -> StoredCounts:
    for code, name in generator.PAYERS.items():
        Payer.objects.create(code=code, name=name)
    return StoredCounts(Customer.objects.create(code="demo", name="Demo"), WINDOWS)


def ids() -> dict[str, int]:
    return dict(Payer.objects.values_list("code", "pk"))


@pytest.mark.parametrize("end", [END, END - 10 * DAY, END + 10 * DAY])
def test_the_database_counts_as_memory_does(store: StoredCounts, end: datetime.date) -> None:
    text = io.StringIO()
    generator.write(generator.claims(6_000, 5, "demo", ALL), text)
    assert "success" == ingest_now(store.customer, io.BytesIO(text.getvalue().encode()), "claims.csv").status
    windows = Windows.ending(end)
    stored = StoredCounts(store.customer, windows)
    memory = CountedRows(generator.claims(6_000, 5, "demo", ALL), windows, ids())
    assert memory.denials() == stored.denials()
    assert memory.delays() == stored.delays()
    assert memory.adjustments() == stored.adjustments()
    assert memory.codes() == stored.codes()
    assert memory.open_claims() == stored.open_claims()
    findings = compare(stored).findings
    assert findings == compare(memory).findings
    assert findings


class TestStoredCounts:
    def add(self, store: StoredCounts, *, number: int = 1, **changes: Any) -> int:
        """So many claims, paid on the last day but for the changes; the payer's key."""
        payer = Payer.objects.get(code=changes.pop("payer", "cigna"))
        batch = ClaimBatch.objects.create(customer=store.customer, filename="x")
        usual = {
            "customer": store.customer,
            "payer": payer,
            "batch": batch,
            "procedure_code": "99213",
            "billed_amount": 100,
            "paid_amount": 70,
            "service_date": changes.get("submitted_date", END),
            "submitted_date": END,
            "paid_date": END,
            "denied": False,
        }
        first = Claim.objects.count()
        Claim.objects.bulk_create(Claim(claim_id=str(first + count), **usual | changes) for count in range(number))
        return payer.pk

    def test_windows_end_where_they_say(self, store: StoredCounts) -> None:
        for answer in (WINDOWS.baseline_start - DAY, WINDOWS.baseline_start, BEFORE, BEFORE + DAY, END, END + DAY):
            payer = self.add(store, submitted_date=answer, paid_date=answer)
        assert {payer: ({0: 2}, {0: 2})} == store.delays()
        assert {payer: Denials((2, 2), (0, 0), {})} == store.denials()

    def test_other_customers_are_left_out(self, store: StoredCounts) -> None:
        self.add(store)
        self.add(store, denied=True, denial_reason="cost")
        other = StoredCounts(Customer.objects.create(code="other", name="Other"), WINDOWS)
        assert [{}, {}, {}, {}, {}] == [
            other.denials(), other.delays(), other.adjustments(), other.codes(), other.open_claims()
        ]  # fmt: skip
        assert (None, END) == (last_answer(other.customer), last_answer(store.customer))

    def test_denial_without_a_day_counts_on_its_submission(self, store: StoredCounts) -> None:
        payer = self.add(store, denied=True, denial_reason="cost", paid_date=None)
        self.add(store, paid_date=None)
        assert {payer: Denials((0, 1), (0, 1), {"cost": (0, 1)})} == store.denials()

    def test_the_most_frequent_reasons_of_each_payer(self, store: StoredCounts) -> None:
        for payer in ("cigna", "aetna"):
            for reason in range(25):
                days = END if reason % 2 else BEFORE
                self.add(store, payer=payer, number=1 + (reason > 4), denied=True, denial_reason=f"{payer} {reason}",
                         submitted_date=days, paid_date=days)  # fmt: skip
        keys, counted = ids(), store.denials()
        for payer in ("cigna", "aetna"):
            denials = counted[keys[payer]]
            expected = {f"{payer} {reason}": ((0, 2) if reason % 2 else (2, 0)) for reason in range(5, 25)}
            assert (expected, (23, 22)) == (denials.reasons, denials.denied)

    def test_a_reason_may_be_unknown(self, store: StoredCounts) -> None:
        payer = self.add(store, denied=True, denial_reason="")
        assert {payer: Denials((0, 1), (0, 1), {})} == store.denials()

    @pytest.mark.parametrize(
        ("billed", "paid", "share"),
        [
            ("100.00", "100.00", 0),
            ("100.00", "0.00", 100),
            ("125.50", "100.40", 20),
            ("0.29", "0.28", 3),
            ("999999999.99", "999999999.98", 0),
            ("999999999.99", "0.01", 99),
            ("300.00", "201.01", 32),
            ("300.00", "201.00", 33),
        ],
    )
    def test_adjustments_are_whole_percent(self, store: StoredCounts, billed: str, paid: str, share: int) -> None:
        payer = self.add(store, billed_amount=Decimal(billed), paid_amount=Decimal(paid))
        assert {payer: ({}, {share: 1})} == {
            payer: tuple({value: count for value, count in counts.items() if count} for counts in values)
            for payer, values in store.adjustments().items()
        }

    def test_codes_are_of_paid_claims(self, store: StoredCounts) -> None:
        payer = self.add(store, number=2, adjudicated_code="99212")
        self.add(store, number=3)
        self.add(store, denied=True, denial_reason="cost", adjudicated_code="99211")
        assert {payer: {"99213": {"": (0, 3), "99212": (0, 2)}}} == store.codes()

    def test_open_is_what_is_answered_later_or_never(self, store: StoredCounts) -> None:
        day = BEFORE - 10 * DAY
        for answer in (BEFORE, BEFORE + DAY, END, END + DAY, None):
            payer = self.add(store, submitted_date=day, paid_date=answer)
        self.add(store, submitted_date=day, denied=True, denial_reason="cost")
        self.add(store, submitted_date=day, denied=True, denial_reason="cost", paid_date=None)
        assert {payer: ({10: (6, 5)}, {40: (6, 2)})} == store.open_claims()

    def test_ages_end_where_they_say(self, store: StoredCounts) -> None:
        for before in (0, MAX_AGE, MAX_AGE + 1):
            payer = self.add(store, submitted_date=BEFORE - before * DAY)
        self.add(store, submitted_date=END + DAY, paid_date=END + DAY)
        assert {payer: ({0: (1, 1), MAX_AGE: (1, 1)}, {30: (1, 0)})} == store.open_claims()

    def test_nothing_is_known_to_be_open_after_the_last_answer(self, store: StoredCounts) -> None:
        payer = self.add(store, submitted_date=END - 15 * DAY, paid_date=None)
        self.add(store, submitted_date=END - 40 * DAY, paid_date=END - 5 * DAY)
        assert {payer: ({5: (1, 1)}, {10: (1, 1), 35: (1, 0)})} == store.open_claims()
