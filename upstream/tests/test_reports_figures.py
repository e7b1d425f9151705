"""The figures of the reports against those of plain Python over the same rows."""

from __future__ import annotations

import csv
import datetime
import io
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from upstream import generator
from upstream.ingestion import ingest_now
from upstream.models import (
    Claim,
    ClaimBatch,
    Customer,
    Payer,
)
from upstream.reports.content import Content, Table
from upstream.reports.measures import denials as denials_of
from upstream.reports.measures import payments as payments_of
from upstream.reports.measures.spread import quantile
from upstream.reports.measures.steps import Steps
from upstream.reports.pages import denials, payments
from upstream.reports.words import Who

Rows = list[dict[str, str]]
START, END = datetime.date(2025, 5, 4), datetime.date(2025, 6, 14)
"""Six weeks, after which the made-up claims go on."""


def date(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


def days(start: datetime.date, count: int) -> datetime.date:
    return start + datetime.timedelta(days=count)


def table(content: Content, name: str) -> list[dict[str, Any]]:
    """The rows of a table as the sheet names their cells."""
    found: Table = next(table for table in content.tables if table.name == name)
    return [dict(zip([column.name for column in found.columns], row, strict=True)) for row in found.rows]


def percentile(values: Iterable[int], share: float) -> int:
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) * share) - 1]


@pytest.fixture
def rows(customer: Customer) -> Rows:
    """What was ingested: made-up claims of a payer that drifts and of five that do not."""
    Payer.objects.bulk_create(Payer(code=code, name=name) for code, name in generator.PAYERS.items())
    text = io.StringIO()
    generator.write(generator.claims(4_000, 11, "mercy", {("humana", generator.Drift.DENIAL_RATE)}), text)
    ingest_now(customer, io.BytesIO(text.getvalue().encode()), "claims.csv")
    return list(csv.DictReader(io.StringIO(text.getvalue())))


def claim(customer: Customer, payer: Payer, **values: Any) -> Claim:
    """A claim that was paid after 20 days, but for what is said otherwise."""
    number = Claim.objects.count()
    batch, _ = ClaimBatch.objects.get_or_create(customer=customer, filename="claims.csv")
    submitted = values.get("submitted_date", datetime.date(2025, 5, 1))
    return Claim.objects.create(
        **{
            "customer": customer,
            "payer": payer,
            "batch": batch,
            "claim_id": f"C-{number}",
            "procedure_code": "99213",
            "billed_amount": Decimal("100.10"),
            "paid_amount": Decimal("80.05"),
            "service_date": submitted,
            "submitted_date": submitted,
            "paid_date": days(submitted, 20),
            "denied": False,
            **values,
        }
    )


class TestSteps:
    @pytest.mark.parametrize(
        ("length", "count", "word", "first"),
        [(1, 1, "day", 1), (21, 21, "day", 1), (22, 3, "week", 8), (28, 4, "week", 7), (30, 4, "week", 9),
         (420, 60, "week", 7), (421, 15, "four weeks", 29), (3660, 130, "four weeks", 48)],
    )  # fmt: skip
    def test_cover_the_period(self, length: int, count: int, word: str, first: int) -> None:
        steps = Steps.over(START, days(START, length - 1))
        assert (count, word) == (len(steps), steps.word)
        spans = [steps.days(number) for number in range(count)]
        assert (START, days(START, length - 1)) == (spans[0][0], spans[-1][1])
        assert first == (spans[0][1] - spans[0][0]).days + 1
        assert [begin for begin, _ in spans[1:]] == [days(end, 1) for _, end in spans[:-1]]

    def test_a_short_period_is_compared_with_the_days_before(self) -> None:
        latest = Steps.over(START, END).latest
        assert [(days(START, -42), days(START, -1)), (START, END)] == [latest.days(0), latest.days(1)]
        assert "9, up from 8 in the 6 weeks before" == Steps.over(START, END).compared("9", "8")

    def test_of_a_long_one_the_last_third_is(self) -> None:
        steps = Steps.over(days(END, -69), END)
        assert [(days(END, -41), days(END, -21)), (days(END, -20), END)] == [steps.latest.days(0), steps.latest.days(1)]
        assert "9 in the last 3 weeks, up from 8 in the 3 weeks before" == steps.compared("9", "8")


class TestQuantile:
    @pytest.mark.parametrize("values", [[7], [1, 2], [1, 2, 3], [5, 5, 5, 9], [0, 0, 1, 30, 30, 31, 60, 61, 62, 99]])
    @pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75, 0.9, 1.0])
    def test_is_that_of_the_values(self, values: list[int], share: float) -> None:
        assert percentile(values, share) == quantile(Counter(values), share)

    def test_nothing_has_none(self) -> None:
        assert quantile({}, 0.5) is None


class TestPayments:
    def test_the_made_up_claims(self, customer: Customer, rows: Rows) -> None:
        content = payments.content(payments_of.measure(customer, START, END))
        answered = [row for row in rows if row["paid_date"] and START <= date(row["paid_date"]) <= END]
        paid = [row for row in answered if row["denied"] == "false"]
        delays = defaultdict(list)
        for row in paid:
            delays[row["payer"]].append((date(row["paid_date"]) - date(row["submitted_date"])).days)

        by_payer = {row["payer_code"]: row for row in table(content, "payers")}
        assert set(generator.PAYERS) == set(by_payer)
        for code, found in by_payer.items():
            mine = [row for row in answered if row["payer"] == code]
            billed, received = (sum(Decimal(row[name]) for row in mine) for name in ("billed_amount", "paid_amount"))
            of_paid = sum(Decimal(row["billed_amount"]) for row in mine if row["denied"] == "false")
            assert {
                "payer_code": code,
                "payer": generator.PAYERS[code],
                "answered": len(mine),
                "denied": sum(row["denied"] == "true" for row in mine),
                "payments": len(delays[code]),
                "median_days": statistics.median_low(delays[code]),
                "p90_days": percentile(delays[code], 0.9),
                "billed": billed,
                "paid": received,
                "paid_share": pytest.approx(float(received / billed)),
                "adjustment": pytest.approx(float(1 - received / of_paid)),
            } == found

        weeks = defaultdict(list)
        for row in paid:
            week = 5 - (END - date(row["paid_date"])).days // 7
            weeks[row["payer"], week].append((date(row["paid_date"]) - date(row["submitted_date"])).days)
        trend = {(row["payer_code"], (row["from"] - START).days // 7): row for row in table(content, "trend")}
        assert 6 * 6 == len(trend)
        for key, found in trend.items():
            assert len(weeks[key]) == found["payments"]
            assert (statistics.median_low(weeks[key]) if weeks[key] else None) == found["median_days"]

        everything = [delay for each in delays.values() for delay in each]
        bins = table(content, "distribution")
        assert len(everything) == sum(row["payments"] for row in bins)
        for one in bins:
            last = math.inf if one["days_to"] is None else one["days_to"]
            assert sum(one["days_from"] <= delay <= last for delay in everything) == one["payments"]
        assert str(statistics.median_low(everything)) == content.figures[0].value

    def test_open_claims_by_age(self, customer: Customer, rows: Rows) -> None:
        content = payments.content(payments_of.measure(customer, START, END))
        expected: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            if date(row["submitted_date"]) <= END and (not row["paid_date"] or date(row["paid_date"]) > END):
                age = (END - date(row["submitted_date"])).days
                bucket = "0_to_30" if age <= 30 else "31_to_60" if age <= 60 else "61_to_90" if age <= 90 else "from_91"
                expected[row["payer"]][f"open_{bucket}"] += 1
                expected[row["payer"]][f"open_billed_{bucket}"] += round(100 * float(row["billed_amount"]))
        found = {row.pop("payer_code"): row for row in table(content, "open_claims")}
        assert set(expected) == set(found)
        for code, counts in expected.items():
            cells = {
                name: round(100 * cell) if "billed" in name else cell
                for name, cell in found[code].items()
                if name != "payer" and cell
            }
            assert dict(counts) == cells

    def test_the_edges_of_the_ages(self, customer: Customer, payers: list[Payer]) -> None:
        for age in (-1, 0, 30, 31, 60, 61, 90, 91, 400):
            claim(customer, payers[0], submitted_date=days(END, -age), paid_date=None, paid_amount=0)
        found = payments_of.measure(customer, START, END)
        assert [2, 2, 2, 2] == [one.count for one in found.waiting[Who("aetna", "Aetna")]]

    def test_the_edges_of_the_period(self, customer: Customer, payers: list[Payer]) -> None:
        for paid in (days(START, -1), START, END, days(END, 1)):
            claim(customer, payers[0], submitted_date=days(paid, -10), paid_date=paid)
        found = payments_of.measure(customer, START, END)
        assert {10: 2} == dict(found.everything)
        assert (2, Decimal("200.20"), Decimal("160.10")) == (found.total.answered, found.total.billed, found.total.paid)
        # What was answered a day later was open at the end.
        assert 1 == sum(one.count for one in found.open_by_age)

    def test_what_was_paid_on_a_denied_claim_is_no_part_of_the_adjustment(
        self, customer: Customer, payers: list[Payer]
    ) -> None:
        for denied, paid in ((False, 80), (False, 60), (True, 50)):
            claim(customer, payers[0], submitted_date=START, billed_amount=100, paid_amount=paid, denied=denied)
        found = payments_of.measure(customer, START, END)
        one = found.amounts[Who("aetna", "Aetna")]
        assert (0.3, 0.3) == (one.adjustment, found.total.adjustment)
        assert (190 / 300, 190 / 300) == (one.paid_share, found.total.paid_share)

    @pytest.mark.parametrize(
        ("last", "said"),
        [
            (0, "at the end of 14 June 2025."),
            (1, "at the end of 14 June 2025."),
            (-1, "Answers are on file up to 13 June 2025 only: some of these claims may have been answered since."),
            (None, "No dated answer is on file."),
        ],
    )
    def test_up_to_which_day_answers_are_on_file(
        self, customer: Customer, payers: list[Payer], last: int | None, said: str
    ) -> None:
        claim(customer, payers[0], submitted_date=START, paid_date=None, paid_amount=0)
        if last is not None:
            claim(customer, payers[0], submitted_date=START, paid_date=days(END, last))
        note = payments.content(payments_of.measure(customer, START, END)).notes[-1]
        assert note.endswith(said), note

    def test_another_customers_claims_do_not_count(self, customer: Customer, payers: list[Payer]) -> None:
        other = Customer.objects.create(code="other", name="Other")
        claim(other, payers[0])
        found = payments_of.measure(customer, START, END)
        assert ({}, {}) == (found.amounts, found.waiting)

    def test_a_payer_that_pays_later_is_named(self, customer: Customer, payers: list[Payer]) -> None:
        for number in range(40):
            for payer, delay in ((payers[0], 20), (payers[1], 30)):
                for back, more in ((number, delay - 20), (42 + number, 0)):
                    paid = days(END, -back)
                    wait = 20 + more + number % 3
                    claim(customer, payer, submitted_date=days(paid, -wait), paid_date=paid)
        content = payments.content(payments_of.measure(customer, START, END))
        assert "Cigna pays later: a median of 31 days, up from 21 in the 6 weeks before" == content.headline

    def test_a_few_payments_tell_nothing(self, customer: Customer, payers: list[Payer]) -> None:
        for number in range(5):
            for paid, delay in ((days(END, -number), 60), (days(START, -1 - number), 5)):
                claim(customer, payers[0], submitted_date=days(paid, -delay), paid_date=paid)
        assert payments_of.measure(customer, START, END).later is None

    def test_a_rise_that_chance_explains_is_not_told(self, customer: Customer, payers: list[Payer]) -> None:
        for number in range(40):
            for paid, slow in ((days(START, -1 - number), 19), (days(END, -number), 21)):
                claim(customer, payers[0], submitted_date=days(paid, -30 if number < slow else -10), paid_date=paid)
        found = payments_of.measure(customer, START, END)
        before, now = found.compared[Who("aetna", "Aetna")]
        assert (10, 30) == (quantile(before, 0.5), quantile(now, 0.5))
        assert found.later is None

    def test_open_claims_are_worth_a_report_without_payments(self, customer: Customer, payers: list[Payer]) -> None:
        claim(customer, payers[0], submitted_date=START, paid_date=None, paid_amount=0)
        content = payments.content(payments_of.measure(customer, START, END))
        assert "No payment came, and 1 claim waits for an answer" == content.headline
        assert 1 == len(content.charts)


class TestDenials:
    def test_the_made_up_claims(self, customer: Customer, rows: Rows) -> None:
        content = denials.content(denials_of.measure(customer, START, END))
        answered = [row for row in rows if row["paid_date"] and START <= date(row["paid_date"]) <= END]
        denied = [row for row in answered if row["denied"] == "true"]
        for found in table(content, "payers"):
            mine = [row for row in denied if row["payer"] == found["payer_code"]]
            count = sum(row["payer"] == found["payer_code"] for row in answered)
            assert (count, len(mine)) == (found["answered"], found["denied"])
            assert pytest.approx(len(mine) / count) == found["denial_rate"]
            assert sum(Decimal(row["billed_amount"]) for row in mine) == found["denied_billed"]
        for names, name in ((("denial_reason",), "reasons"), (("payer", "denial_reason"), "pairs")):
            expected: defaultdict[tuple[str, ...], list[Decimal]] = defaultdict(list)
            for row in denied:
                expected[tuple(row[column] for column in names)].append(Decimal(row["billed_amount"]))
            assert all(len(amounts) >= 5 for key, amounts in expected.items() if name == "reasons")
            rows_found = table(content, name)
            found_costs = {
                ((row["payer_code"],) if name == "pairs" else ()) + (row["reason"],): (
                    row["denied"],
                    row["denied_billed"],
                )
                for row in rows_found
            }
            assert {key: (len(amounts), sum(amounts)) for key, amounts in expected.items()} == found_costs
            assert sorted((row["denied_billed"] for row in rows_found), reverse=True) == [
                row["denied_billed"] for row in rows_found
            ]
        weeks: Counter[tuple[str, int, str]] = Counter()
        for row in answered:
            weeks[row["payer"], 5 - (END - date(row["paid_date"])).days // 7, row["denied"]] += 1
        trend = table(content, "trend")
        assert 6 * 6 == len(trend)
        for found in trend:
            week = (found["from"] - START).days // 7
            code = found["payer_code"]
            assert weeks[code, week, "true"] == found["denied"]
            assert weeks[code, week, "true"] + weeks[code, week, "false"] == found["answered"]

    def test_the_payer_that_drifts_is_named(self, customer: Customer, rows: Rows) -> None:
        found = denials_of.measure(customer, generator.DEFAULT_END - datetime.timedelta(days=29), generator.DEFAULT_END)
        answered: Counter[tuple[bool, str]] = Counter()
        for row in rows:
            if row["payer"] == "humana" and row["paid_date"]:
                back = (generator.DEFAULT_END - date(row["paid_date"])).days // 30
                answered[back == 0, row["denied"]] += back < 2
        before, now = (
            answered[part, "true"] / (answered[part, "true"] + answered[part, "false"]) for part in (False, True)
        )
        expected = f"Humana denies more: {now:.1%} of claims, up from {before:.1%} in the 30 days before"
        assert expected == denials.content(found).headline

    def test_a_denial_without_a_day_counts_on_that_of_its_submission(
        self, customer: Customer, payers: list[Payer]
    ) -> None:
        for submitted in (days(START, -1), START, END, days(END, 1)):
            claim(customer, payers[0], submitted_date=submitted, paid_date=None, paid_amount=0, denied=True)
        found = denials_of.measure(customer, START, END)
        assert 2 == denials_of.total(found.by_payer.values()).denied
        assert {denials_of.NONE_GIVEN: 2} == {reason: cost.denied for reason, cost in found.reasons.items()}

    def test_rare_reasons_are_not_quoted(self, customer: Customer, payers: list[Payer]) -> None:
        for reason, count in (("not covered", 5), ("call Jane Doe back", 4), ("lost", 1)):
            for _ in range(count):
                claim(customer, payers[0], paid_amount=0, denied=True, denial_reason=reason)
        found = denials_of.measure(customer, START, END)
        assert {"not covered": 5, "other reasons": 5} == {key: cost.denied for key, cost in found.reasons.items()}

    def test_only_the_costliest_reasons_are_told_apart(self, customer: Customer, payers: list[Payer]) -> None:
        for number in range(denials_of.MAX_REASONS + 2):
            for _ in range(5):
                claim(
                    customer,
                    payers[0],
                    paid_amount=0,
                    denied=True,
                    denial_reason=f"reason {number}",
                    billed_amount=1 + number,
                )
        reasons = denials_of.measure(customer, START, END).reasons
        assert denials_of.MAX_REASONS + 1 == len(reasons)
        assert (10, Decimal(15)) == (reasons["other reasons"].denied, reasons["other reasons"].billed)

    def test_a_rise_that_chance_explains_is_not_told(self, customer: Customer, payers: list[Payer]) -> None:
        for number in range(60):
            for day, denied in ((days(START, -1), number < 3), (END, number < 6)):
                paid = 0 if denied else 50
                claim(customer, payers[0], submitted_date=day, paid_date=day, denied=denied, paid_amount=paid)
        found = denials_of.measure(customer, START, END)
        assert [0.05, 0.1] == [one.rate for one in found.compared[Who("aetna", "Aetna")]]
        assert found.risen is None

    def test_nothing_denied(self, customer: Customer, payers: list[Payer]) -> None:
        claim(customer, payers[0])
        content = denials.content(denials_of.measure(customer, START, END))
        assert "No claim was denied, of 1 answered" == content.headline
        assert [] == content.charts
