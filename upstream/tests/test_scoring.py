from __future__ import annotations

import datetime

import pytest

from upstream.ingestion.reader import Record
from upstream.ingestion.scoring import Tally
from upstream.ingestion.validation import Check, Reason, validate
from upstream.tests.conftest import GOOD


def tally(*rows: dict[str, str], repeated: int = 0) -> Tally:
    result = Tally()
    for changes in rows:
        result.add(validate(Record(2, {**GOOD, **changes}), "mercy", {"aetna": 1}, datetime.date(2025, 6, 30)))
    for _ in range(repeated):
        verdict = validate(Record(2, GOOD), "mercy", {"aetna": 1}, datetime.date(2025, 6, 30))
        verdict.reasons.append(Reason("claim_id", Check.DUPLICATE, "C-1", ""))
        result.add(verdict)
    return result


class TestScores:
    def test_good_rows_score_1(self) -> None:
        assert {"completeness": 1, "accuracy": 1, "timeliness": 1, "consistency": 1} == tally({}, {}).scores()

    @pytest.mark.parametrize(
        ("bad", "expected"),
        [
            # 8 required fields a row, 4 rows, 2 fields empty.
            ({"payer": "", "claim_id": ""}, {"completeness": 30 / 32}),
            ({"procedure_code": "?"}, {"accuracy": 0.75}),
            ({"billed_amount": "-1"}, {"accuracy": 0.75}),
            ({"payer": "nobody"}, {"accuracy": 0.75}),
            ({"submitted_date": "2025-02-02", "paid_date": "2025-02-03"}, {"timeliness": 0.75}),
            ({"submitted_date": "2025-02-01", "paid_date": "2025-02-03"}, {}),
            ({"denial_reason": "not covered"}, {"consistency": 0.75}),
            ({"adjudicated_code": "99212"}, {}),
            ({"adjudicated_code": "99212", "paid_amount": "", "paid_date": ""}, {"consistency": 0.75}),
            ({"adjudicated_code": "?"}, {"accuracy": 0.75}),
            ({"paid_date": "2025-01-04"}, {"accuracy": 0.75, "consistency": 0.75}),
        ],
    )
    def test_one_bad_row_of_four_lowers_its_score_only(self, bad: dict[str, str], expected: dict[str, float]) -> None:
        perfect = {"completeness": 1.0, "accuracy": 1.0, "timeliness": 1.0, "consistency": 1.0}
        assert {**perfect, **expected} == tally({}, {}, {}, bad).scores()

    def test_a_repeated_claim_is_inconsistent(self) -> None:
        result = tally({}, {}, {}, repeated=1)
        assert 0.75 == result.scores()["consistency"]
        assert {Check.DUPLICATE: 1} == result.failures

    def test_nothing_stored_is_not_timely(self) -> None:
        assert 0.0 == tally({"payer": "nobody"}).scores()["timeliness"]
