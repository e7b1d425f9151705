from __future__ import annotations

import csv
import datetime
import io
import itertools
from collections import Counter
from pathlib import Path
from statistics import mean, median

import pytest
from django.core.management import CommandError, call_command

from upstream import generator
from upstream.generator import Drift, Planted
from upstream.ingestion.reader import read
from upstream.ingestion.validation import validate

ONSET = generator.DEFAULT_END - datetime.timedelta(days=29)
ALL = tuple((payer, drift) for payer, drift in zip(generator.PAYERS, Drift, strict=True))


def text(rows: int = 500, seed: int = 1, planted: Planted = ALL) -> str:
    out = io.StringIO()
    generator.write(generator.claims(rows, seed, "demo", planted), out)
    return out.getvalue()


def claims(*planted: tuple[str, Drift], rows: int = 20_000) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text(rows, 5, planted))))


def day(value: str) -> datetime.date:
    return datetime.date.fromisoformat(value)


def answered(rows: list[dict[str, str]], *, recently: bool, humana: bool) -> list[dict[str, str]]:
    return [
        row
        for row in rows
        if row["paid_date"] and (day(row["paid_date"]) >= ONSET) is recently and (row["payer"] == "humana") is humana
    ]


def figures(rows: list[dict[str, str]]) -> dict[Drift, float]:
    """What each drift changes, as it is in these answered claims."""
    paid = [row for row in rows if row["denied"] == "false"]
    mapped = [row["adjudicated_code"] for row in paid if row["procedure_code"] == generator.DRIFTING_PROCEDURE]
    return {
        Drift.PAYMENT_DELAY: median((day(row["paid_date"]) - day(row["submitted_date"])).days for row in rows),
        Drift.DENIAL_RATE: mean(row["denied"] == "true" for row in rows),
        Drift.DENIAL_REASON: mean(row["denial_reason"] == generator.DRIFTING_REASON for row in rows),
        Drift.ADJUSTMENT_PATTERN: 1 - mean(float(row["paid_amount"]) / float(row["billed_amount"]) for row in paid),
        Drift.CODE_MAPPING_CHANGE: mean(code != "" for code in mapped),
    }


USUAL = {
    Drift.PAYMENT_DELAY: 20,
    Drift.DENIAL_RATE: 0.08,
    Drift.DENIAL_REASON: 0.016,
    Drift.ADJUSTMENT_PATTERN: 0.25,
    Drift.CODE_MAPPING_CHANGE: 0.02,
}
DRIFTED: dict[Drift, dict[Drift, float]] = {
    Drift.PAYMENT_DELAY: {Drift.PAYMENT_DELAY: 32},
    Drift.DENIAL_RATE: {Drift.DENIAL_RATE: 0.28, Drift.DENIAL_REASON: 0.056},
    Drift.DENIAL_REASON: {Drift.DENIAL_RATE: 0.19, Drift.DENIAL_REASON: 0.126},
    Drift.ADJUSTMENT_PATTERN: {Drift.ADJUSTMENT_PATTERN: 0.37},
    Drift.CODE_MAPPING_CHANGE: {Drift.CODE_MAPPING_CHANGE: 0.30},
    Drift.AR_AGING: {},
}
CLOSE: dict[Drift, float] = {
    Drift.PAYMENT_DELAY: 2,
    Drift.DENIAL_RATE: 0.03,
    Drift.DENIAL_REASON: 0.02,
    Drift.ADJUSTMENT_PATTERN: 0.02,
    Drift.CODE_MAPPING_CHANGE: 0.12,
}


class TestClaims:
    def test_same_arguments_same_bytes(self) -> None:
        assert text() == text()

    @pytest.mark.parametrize(("seed", "planted"), [(2, ALL), (1, ()), (1, ALL[:5]), (1, generator.drifting("cigna"))])
    def test_other_arguments_other_bytes(self, seed: int, planted: Planted) -> None:
        assert text(3000) != text(3000, seed, planted)

    def test_every_row_is_valid(self) -> None:
        payers = dict.fromkeys(generator.PAYERS, 1)
        records = list(read(io.BytesIO(text(3000).encode())))
        assert 3000 == len(records)
        verdicts = [validate(record, "demo", payers, generator.DEFAULT_END) for record in records]
        assert [] == [reason for verdict in verdicts for reason in verdict.reasons]
        assert not any(verdict.contradicts for verdict in verdicts)
        assert 3000 == len({verdict.claim["claim_id"] for verdict in verdicts})

    @pytest.mark.parametrize("drift", list(Drift))
    def test_a_drift_changes_what_it_says_and_nothing_else(self, drift: Drift) -> None:
        rows = claims(("humana", drift))
        before = answered(rows, recently=False, humana=True)
        # Of the claims submitted in the last days, only those answered early are answered at all.
        now = answered(rows, recently=True, humana=True)
        for figures_of, expected in ((before, USUAL), (now, USUAL | DRIFTED[drift])):
            for what, figure in figures(figures_of).items():
                assert expected[what] == pytest.approx(figure, abs=CLOSE[what]), what

    @pytest.mark.parametrize("drift", list(Drift))
    def test_the_other_payers_stay_the_same(self, drift: Drift) -> None:
        others = [row for row in claims(("humana", drift), rows=5000) if row["payer"] != "humana"]
        assert [row for row in claims(rows=5000) if row["payer"] != "humana"] == others

    def test_ageing_leaves_claims_unanswered(self) -> None:
        def unanswered(rows: list[dict[str, str]]) -> Counter[str]:
            """By payer, of the claims that nobody waits for as a rule: submitted 1 to 2 months ago."""
            submitted = ((row, (generator.DEFAULT_END - day(row["submitted_date"])).days) for row in rows)
            return Counter(row["payer"] for row, age in submitted if 30 < age <= 60 and not row["paid_date"])

        usual, drifted = unanswered(claims()), unanswered(claims(("humana", Drift.AR_AGING)))
        assert drifted.pop("humana") > 1.5 * usual.pop("humana")
        assert usual == drifted

    def test_any_size_streams(self) -> None:
        endless = generator.claims(10**12, 1, "demo", ALL)
        assert 3 == len(list(itertools.islice(endless, 3)))

    @pytest.mark.parametrize(
        ("rows", "planted", "message"),
        [
            (0, (), "rows: 0"),
            (5, [("acme", Drift.AR_AGING)], "payer that drifts: 'acme' is not one of aetna, anthem"),
            (5, [("aetna", "mood")], "drift of aetna: 'mood' is not one of payment_delay, denial_rate"),
        ],
    )
    def test_bad_arguments_are_named(self, rows: int, planted: Planted, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            generator.claims(rows, 1, "demo", planted)


class TestCommand:
    def generate(self, out: Path, *options: str) -> tuple[str, str]:
        said = io.StringIO()
        call_command("generate_claims", f"--out={out}", "--rows=2000", *options, stdout=said)
        return said.getvalue(), out.read_text()

    @pytest.mark.parametrize(
        ("options", "planted", "told"),
        [
            ([], generator.drifting("humana"), "humana (denial_rate), humana (payment_delay)"),
            (["--drift-payer=cigna"], generator.drifting("cigna"), "cigna (denial_rate), cigna (payment_delay)"),
            (["--no-drift"], (), "no payer"),
            (
                ["--drift=cigna:ar_aging", "--drift=aetna:denial_reason"],
                [("cigna", Drift.AR_AGING), ("aetna", Drift.DENIAL_REASON)],
                "aetna (denial_reason), cigna (ar_aging)",
            ),
        ],
    )
    def test_plants_what_it_is_told(self, tmp_path: Path, options: list[str], planted: Planted, told: str) -> None:
        said, written = self.generate(tmp_path / "x.csv", *options)
        assert f"2,000 claims, drifting: {told}\n" in said
        assert text(2000, 1, planted) == written

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("--drift=acme:ar_aging", "'acme:ar_aging' is not PAYER:DRIFT with a payer of aetna, anthem"),
            ("--drift=aetna:mood", "'aetna:mood' is not PAYER:DRIFT"),
            ("--drift=aetna", "'aetna' is not PAYER:DRIFT"),
            ("--drift-payer=acme", "'acme' is not one of"),
        ],
    )
    def test_bad_options_are_named(self, tmp_path: Path, option: str, message: str) -> None:
        with pytest.raises(CommandError, match=message):
            self.generate(tmp_path / "x.csv", option)
        assert not (tmp_path / "x.csv").exists()
