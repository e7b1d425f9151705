from __future__ import annotations

import datetime
import io
import itertools
from collections import Counter

import pytest

from upstream import generator
from upstream.ingestion.reader import read
from upstream.ingestion.validation import validate


def text(rows: int = 500, seed: int = 1, drift_payer: str | None = "humana") -> str:
    out = io.StringIO()
    generator.write(generator.claims(rows, seed, "demo", drift_payer), out)
    return out.getvalue()


class TestClaims:
    def test_same_arguments_same_bytes(self) -> None:
        assert text() == text()

    @pytest.mark.parametrize("other", [{"seed": 2}, {"drift_payer": None}, {"drift_payer": "cigna"}])
    def test_other_arguments_other_bytes(self, other: dict[str, object]) -> None:
        assert text(3000) != text(3000, **other)  # type: ignore[arg-type]

    def test_every_row_is_valid(self) -> None:
        payers = dict.fromkeys(generator.PAYERS, 1)
        records = list(read(io.BytesIO(text(3000).encode())))
        assert 3000 == len(records)
        verdicts = [validate(record, "demo", payers, generator.DEFAULT_END) for record in records]
        assert [] == [reason for verdict in verdicts for reason in verdict.reasons]
        assert not any(verdict.contradicts for verdict in verdicts)
        assert 3000 == len({verdict.claim["claim_id"] for verdict in verdicts})

    def test_only_one_payer_denies_more_from_the_onset_on(self) -> None:
        onset = generator.DEFAULT_END - datetime.timedelta(days=29)
        answered: Counter[tuple[str, bool]] = Counter()
        denied: Counter[tuple[str, bool]] = Counter()
        for row in generator.claims(40_000, 5, "demo", "humana"):
            if row[8]:
                key = row[1], datetime.date.fromisoformat(row[8]) >= onset
                answered[key] += 1
                denied[key] += row[9] == "true"
        rates = {key: denied[key] / answered[key] for key in answered}
        assert 0.28 == pytest.approx(rates.pop(("humana", True)), abs=0.05)
        for rate in rates.values():
            assert 0.08 == pytest.approx(rate, abs=0.03)

    def test_any_size_streams(self) -> None:
        endless = generator.claims(10**12, 1, "demo", "humana")
        assert 3 == len(list(itertools.islice(endless, 3)))

    @pytest.mark.parametrize(
        ("rows", "payer", "message"), [(0, None, "rows: 0"), (5, "acme", "'acme' is not one of aetna, anthem")]
    )
    def test_bad_arguments_are_named(self, rows: int, payer: str | None, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            generator.claims(rows, 1, "demo", payer)
