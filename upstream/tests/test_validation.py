from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from upstream.ingestion.reader import Record
from upstream.ingestion.validation import Verdict, validate
from upstream.tests.conftest import GOOD

TODAY = datetime.date(2025, 6, 30)
DENIED = {"denied": "true", "denial_reason": "not covered", "paid_amount": "0"}
WAITING = {"paid_amount": "", "paid_date": ""}


def judge(**changes: str) -> Verdict:
    return validate(Record(2, {**GOOD, **changes}), "mercy", {"aetna": 7}, TODAY)


def faults(verdict: Verdict) -> list[tuple[str, str]]:
    return [(reason.column, str(reason.check)) for reason in verdict.reasons]


class TestGoodRow:
    def test_is_parsed(self) -> None:
        assert {
            "claim_id": "C-1",
            "payer_id": 7,
            "procedure_code": "99213",
            "billed_amount": Decimal("125.50"),
            "paid_amount": Decimal("100.00"),
            "service_date": datetime.date(2025, 1, 2),
            "submitted_date": datetime.date(2025, 1, 5),
            "paid_date": datetime.date(2025, 1, 25),
            "denied": False,
        } == judge().claim

    @pytest.mark.parametrize(
        "changes",
        [
            DENIED,
            {**DENIED, "paid_date": ""},
            WAITING,
            {"procedure_code": "J1885"},
            {"procedure_code": "0001F"},
            {"billed_amount": "100"},
            {"denied": " FALSE "},
            {"paid_date": "2025-06-30"},
            {"service_date": "2025-01-25", "submitted_date": "2025-01-25"},
        ],
    )
    def test_variants_are_accepted(self, changes: dict[str, str]) -> None:
        assert [] == judge(**changes).reasons

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"adjudicated_code": "99212"}, "99212"),
            ({"adjudicated_code": " J3490 "}, "J3490"),
            ({**DENIED, "adjudicated_code": "99212"}, "99212"),
            ({"adjudicated_code": "99213"}, None),
            ({"adjudicated_code": ""}, None),
            ({}, None),
        ],
    )
    def test_adjudicated_code_is_kept_where_it_is_another(self, changes: dict[str, str], expected: str | None) -> None:
        verdict = judge(**changes)
        assert ([], expected) == (verdict.reasons, verdict.claim.get("adjudicated_code"))

    def test_denied_without_amount_was_paid_nothing(self) -> None:
        assert Decimal(0) == judge(**DENIED, paid_date="").claim["paid_amount"]


class TestRefusedRow:
    @pytest.mark.parametrize(
        ("changes", "column", "check"),
        [
            *(
                ({name: " "}, name, "missing_required_field")
                for name in (
                    "customer", "payer", "claim_id", "procedure_code", "billed_amount", "service_date",
                    "submitted_date", "denied", "paid_amount", "paid_date",
                )
            ),
            ({"denied": "true", "paid_amount": "0"}, "denial_reason", "missing_required_field"),
            ({"claim_id": "a b"}, "claim_id", "invalid_format"),
            ({"claim_id": "x" * 65}, "claim_id", "invalid_format"),
            ({"claim_id": "a\0b"}, "claim_id", "invalid_format"),
            ({"procedure_code": "9921"}, "procedure_code", "invalid_format"),
            ({"procedure_code": "99213\n"[:-1] + "٣"}, "procedure_code", "invalid_format"),
            ({"adjudicated_code": "9921"}, "adjudicated_code", "invalid_format"),
            ({"adjudicated_code": "none"}, "adjudicated_code", "invalid_format"),
            ({"billed_amount": "1e3"}, "billed_amount", "invalid_format"),
            ({"billed_amount": "NaN"}, "billed_amount", "invalid_format"),
            ({"billed_amount": "$10"}, "billed_amount", "invalid_format"),
            ({"billed_amount": "10.001"}, "billed_amount", "invalid_format"),
            ({"billed_amount": "1000000000"}, "billed_amount", "invalid_format"),
            ({"paid_amount": "ten"}, "paid_amount", "invalid_format"),
            ({"service_date": "01/02/2025"}, "service_date", "invalid_format"),
            ({"service_date": "20250102"}, "service_date", "invalid_format"),
            ({"submitted_date": "2025-02-30"}, "submitted_date", "invalid_format"),
            ({"paid_date": "soon"}, "paid_date", "invalid_format"),
            ({"denied": "maybe"}, "denied", "invalid_format"),
            ({**DENIED, "denial_reason": "x" * 201}, "denial_reason", "invalid_format"),
            ({**DENIED, "denial_reason": "a\0b"}, "denial_reason", "invalid_format"),
            ({"billed_amount": "0", "paid_amount": "0"}, "billed_amount", "out_of_range"),
            ({"billed_amount": "-5"}, "billed_amount", "out_of_range"),
            ({"paid_amount": "-0.01"}, "paid_amount", "out_of_range"),
            ({"paid_amount": "125.51"}, "paid_amount", "out_of_range"),
            ({"service_date": "1999-12-31"}, "service_date", "out_of_range"),
            ({"submitted_date": "2025-01-01"}, "submitted_date", "out_of_range"),
            ({"paid_date": "2025-01-04"}, "paid_date", "out_of_range"),
            ({"paid_date": "2025-07-01"}, "paid_date", "out_of_range"),
            ({"customer": "other"}, "customer", "referential_integrity"),
            ({"payer": "nobody"}, "payer", "referential_integrity"),
        ],
    )  # fmt: skip
    def test_names_column_and_check(self, changes: dict[str, str], column: str, check: str) -> None:
        verdict = judge(**changes)
        assert [(column, check)] == faults(verdict)
        assert {} == verdict.claim

    def test_says_what_was_given_and_what_is_valid(self) -> None:
        (reason,) = judge(paid_amount="9" * 300).reasons
        assert "9" * 60 + "... (300 characters)" == reason.given
        assert "an amount such as 125.50, or nothing" == reason.valid

    def test_all_reasons_are_told(self) -> None:
        assert [
            ("claim_id", "missing_required_field"),
            ("denied", "invalid_format"),
            ("payer", "referential_integrity"),
            ("billed_amount", "out_of_range"),
        ] == faults(judge(claim_id="", denied="?", payer="nobody", billed_amount="-1"))

    def test_broken_row_is_refused_whole(self) -> None:
        verdict = validate(Record(2, {"customer": "mercy"}, "1 columns"), "mercy", {}, TODAY)
        assert [("", "invalid_format")] == faults(verdict)
        assert "as many columns as the header has" == verdict.reasons[0].valid


class TestContradiction:
    @pytest.mark.parametrize(
        "changes",
        [
            {**DENIED, "paid_amount": "5.00"},
            {"denial_reason": "not covered"},
            {"denied": "true"},
            {"paid_amount": "500"},
            {"submitted_date": "2025-01-01"},
            {"paid_date": "2025-01-04"},
            {"paid_date": ""},
            {"paid_amount": ""},
            {**WAITING, "adjudicated_code": "99212"},
        ],
    )
    def test_is_noticed(self, changes: dict[str, str]) -> None:
        assert judge(**changes).contradicts

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            DENIED,
            WAITING,
            {"payer": "nobody"},
            {"service_date": "1999-01-01"},
            {"adjudicated_code": "99212"},
            {**DENIED, "paid_date": "", "adjudicated_code": "99212"},
            {**WAITING, "adjudicated_code": ""},
        ],
    )
    def test_is_not_seen_where_there_is_none(self, changes: dict[str, str]) -> None:
        assert not judge(**changes).contradicts
