from __future__ import annotations

import datetime
import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from upstream.models import Alert, Claim, ClaimBatch, Customer, Payer
from upstream.tests.conftest import line, stream


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "claims.csv"
    path.write_bytes(stream(line(), line(claim_id="C-2", payer="nobody")).getvalue())
    return path


@pytest.mark.usefixtures("customer", "payers")
class TestIngestClaims:
    def test_stores_and_reports(self, file: Path) -> None:
        said = run("ingest_claims", str(file), "--customer", "mercy")
        assert "partial, 2 rows, 1 stored, 1 rejected" in said
        assert "accuracy: 0.5000" in said
        assert "line 3, payer: referential_integrity, given 'nobody'" in said
        assert 1 == Claim.objects.count()

    def test_unknown_customer(self, file: Path) -> None:
        with pytest.raises(CommandError, match="customer 'nobody' is not known; known: mercy"):
            run("ingest_claims", str(file), "--customer", "nobody")
        assert 0 == ClaimBatch.objects.count()

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match=r"none\.csv: No such file"):
            run("ingest_claims", str(tmp_path / "none.csv"), "--customer", "mercy")
        assert 0 == ClaimBatch.objects.count()

    def test_unusable_file(self, file: Path) -> None:
        file.write_text("a,b\n1,2\n")
        with pytest.raises(CommandError, match=r"claims\.csv: line 1: wrong header"):
            run("ingest_claims", str(file), "--customer", "mercy")


@pytest.mark.django_db
class TestGenerateAndDetect:
    def test_from_nothing_to_alerts(self, tmp_path: Path) -> None:
        out = str(tmp_path / "claims.csv")
        said = run("generate_claims", "--rows=8000", "--seed=7", "--customer=demo", "--drift-payer=united",
                   "--register", f"--out={out}")  # fmt: skip
        assert "8,000 claims, drifting: united" in said
        assert ["demo"] == list(Customer.objects.values_list("code", flat=True))
        assert 6 == Payer.objects.count()
        run("ingest_claims", out, "--customer", "demo")
        said = run("detect_drift", "--customer", "demo")
        assert "2025-06-01 to 2025-06-30: 2 drift events, 2 alerts" in said
        assert {"united"} == set(Alert.objects.values_list("event__payer__code", flat=True))
        said = run("detect_drift", "--customer", "demo")
        assert "2 drift events, 0 alerts" in said
        assert 2 == said.count("suppressed: duplicate")

    def test_the_end_may_be_told(self, customer: Customer) -> None:
        assert "2025-01-02 to 2025-01-31: 0 drift events" in run(
            "detect_drift", "--customer", "mercy", "--end", str(datetime.date(2025, 1, 31))
        )

    def test_a_bad_end_is_named(self, customer: Customer) -> None:
        with pytest.raises(CommandError, match="--end: 'soon' is not a date from 2000-01-01 on"):
            run("detect_drift", "--customer", "mercy", "--end=soon")

    def test_nothing_on_file(self, customer: Customer) -> None:
        assert "nothing to compare" in run("detect_drift", "--customer", "mercy")

    def test_registering_twice_changes_nothing(self, tmp_path: Path) -> None:
        for _ in range(2):
            run("generate_claims", "--rows=1", "--no-drift", "--register", f"--out={tmp_path / 'x.csv'}")
        assert (1, 6) == (Customer.objects.count(), Payer.objects.count())

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("--drift-payer=acme", "'acme' is not one of"),
            ("--rows=0", "rows: 0"),
            ("--out=/none/x", "/none/x: No such"),
        ],
    )
    def test_bad_options_are_named(self, tmp_path: Path, option: str, message: str) -> None:
        out = tmp_path / "x.csv"
        with pytest.raises(CommandError, match=message):
            run("generate_claims", f"--out={out}", option)
        assert not out.exists()
