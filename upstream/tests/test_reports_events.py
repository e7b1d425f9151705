"""The figures of the reports on data quality and on drift, over a few rows made by hand."""

from __future__ import annotations

import datetime
import io
from collections import defaultdict
from typing import Any

import pytest

from upstream.detection import detect_now
from upstream.ingestion import FileRejected, ingest_now
from upstream.models import Alert, ClaimBatch, Customer, DriftEvent, Job, Payer, QualityScore, QualitySnapshot
from upstream.reports.measures import drift as drift_of
from upstream.reports.measures import quality as quality_of
from upstream.reports.pages import drift, quality
from upstream.tests.conftest import line, stream
from upstream.tests.test_reports_figures import END, START, claim, days, table


class TestQuality:
    def test_scores_refusals_and_files(self, customer: Customer, payers: list[Payer]) -> None:
        good = [line(claim_id=f"C-{number}") for number in range(6)]
        bad = [
            line(claim_id="C-10", payer="nobody"),
            line(claim_id="C-11", payer="nobody", billed_amount="much"),
            line(claim_id="C-12", procedure_code=""),
        ]
        batches = [
            ingest_now(customer, stream(*good), "good.csv"),
            ingest_now(customer, stream(line(claim_id="C-9"), *bad), "bad.csv"),
        ]
        with pytest.raises(FileRejected):
            ingest_now(customer, io.BytesIO(b"not,claims\n"), "none.csv")
        ingest_now(customer, stream(line(claim_id="C-99", payer="")), "before.csv")
        noon = datetime.time(12, tzinfo=datetime.UTC)
        received = {"good.csv": END, "bad.csv": END, "none.csv": START, "before.csv": days(START, -1)}
        for filename, day in received.items():
            ClaimBatch.objects.filter(filename=filename).update(received_at=datetime.datetime.combine(day, noon))
        QualitySnapshot.objects.create(customer=customer, day=END, metric_type="accuracy", score=0.75)
        content = quality.content(quality_of.measure(customer, START, END))

        scores: defaultdict[str, float] = defaultdict(float)
        for batch in batches:
            for metric, score in QualityScore.objects.filter(batch=batch).values_list("metric_type", "score"):
                scores[metric] += score * batch.row_count / 10
        (week,) = table(content, "scores")
        assert (7, 3) == (week["stored"], week["refused"])
        for metric in quality_of.METRICS:
            assert pytest.approx(scores[metric]) == week[metric]
        assert pytest.approx(0.8) == week["accuracy"]
        assert {
            ("payer", "referential_integrity"): 2,
            ("billed_amount", "invalid_format"): 1,
            ("procedure_code", "missing_required_field"): 1,
        } == {(row["column"], row["check_type"]): row["failures"] for row in table(content, "refusals")}
        assert [("bad.csv", "partial", 4, 1, 3), ("good.csv", "success", 6, 6, 0), ("none.csv", "failed", 0, 0, 0)] == [
            (row["file"], row["status"], row["rows"], row["stored"], row["refused"])
            for row in table(content, "batches")
        ]
        assert [(END, "accuracy", 0.75)] == [tuple(row.values()) for row in table(content, "snapshots")]
        assert "70.0% of rows were stored; accuracy is the weakest score, at 0.800" == content.headline

    def test_a_perfect_file(self, customer: Customer, payers: list[Payer]) -> None:
        day = ingest_now(customer, stream(line()), "claims.csv").received_at.date()
        content = quality.content(quality_of.measure(customer, day, day))
        assert "Every row was stored, and all four scores are perfect" == content.headline

    def test_a_file_that_still_waits_does_not_count(self, customer: Customer) -> None:
        ClaimBatch.objects.create(customer=customer, filename="claims.csv")
        day = ClaimBatch.objects.get().received_at.date()
        assert [] == quality_of.measure(customer, day, day).batches

    def test_a_snapshot_alone_is_worth_a_report(self, customer: Customer) -> None:
        QualitySnapshot.objects.create(customer=customer, day=START, metric_type="accuracy", score=0.5)
        content = quality.content(quality_of.measure(customer, START, END))
        assert "No file came in; what is on file stays as it was" == content.headline


class TestDrift:
    def event(self, customer: Customer, payer: Payer, day: datetime.date, **values: Any) -> DriftEvent:
        job = Job.objects.create(
            customer=customer, name="detect", job_type="drift_detection", due_at="2025-07-01T00:00Z"
        )
        return DriftEvent.objects.create(
            **{
                "job": job,
                "customer": customer,
                "payer": payer,
                "product": "DenialScope",
                "drift_type": "denial_rate",
                "severity": 0.5,
                "baseline": 0.08,
                "current": 0.3,
                "baseline_size": 1000,
                "current_size": 400,
                "effect": 0.58,
                "p_value": 1e-20,
                "window_start": days(day, -29),
                "window_end": day,
                **values,
            }
        )

    def test_events_and_what_became_of_them(self, customer: Customer, payers: list[Payer]) -> None:
        aetna, cigna = payers
        gravest = self.event(customer, aetna, START, severity=0.95, current=0.4)
        Alert.objects.create(event=gravest, customer=customer, severity="critical", title="denies", body="more")
        self.event(customer, aetna, END, severity=0.69, suppressed="cooldown")
        self.event(customer, aetna, END, severity=0.7, suppressed="duplicate")
        self.event(customer, aetna, END, severity=0.39)
        self.event(customer, aetna, END, severity=0.4, subject="not covered", suppressed="noise_pattern")
        self.event(customer, cigna, END, severity=0.9, drift_type="payment_delay", baseline=20, current=32.5)
        for day in (days(START, -1), days(END, 1)):
            self.event(customer, aetna, day, severity=1)
        content = drift.content(drift_of.measure(customer, START, END))

        assert [
            ("aetna", "denial_rate", "", 0.95, 0.08, 0.4, None, None, 4, 1, START, END),
            ("cigna", "payment_delay", "", 0.9, None, None, 20, 32.5, 1, 0, END, END),
            ("aetna", "denial_rate", "not covered", 0.4, 0.08, 0.3, None, None, 1, 0, END, END),
        ] == [
            tuple(cell for name, cell in row.items() if name not in ("payer", "effect"))
            for row in table(content, "drifts")
        ]
        assert [("denial_rate", 5, 1, 1, 1, 1, 1), ("payment_delay", 1, 0, 0, 0, 0, 1)] == [
            tuple(row.values()) for row in table(content, "outcomes")
        ]
        assert [("aetna", "Aetna", 1, 2, 1, 1), ("cigna", "Cigna", 0, 0, 0, 1)] == [
            tuple(row.values()) for row in table(content, "payers")
        ]
        assert "Aetna denies more claims: 40.0%, up from 8.0%" == content.headline
        assert content.points[1].startswith(
            "Cigna pays later: a median of 32.5 days, up from 20. Severity 0.90 (critical)"
        )
        assert content.points[2].startswith("Aetna denies more claims for “not covered”: 30.0%, up from 8.0%.")

    def test_each_drift_type_has_its_words(self, customer: Customer, payers: list[Payer]) -> None:
        for drift_type in DriftEvent.DriftType.values:
            self.event(customer, payers[0], END, drift_type=drift_type, subject="99213")
        content = drift.content(drift_of.measure(customer, START, END))
        assert {
            "Aetna pays later on procedure 99213: a median of 0.3 days, up from 0.08",
            "Aetna denies more claims for “99213”: 30.0%, up from 8.0%",
            "Aetna leaves more of the bill unpaid on procedure 99213: 30.0%, up from 8.0%",
            "Aetna answers more claims on procedure 99213 under another code: 30.0%, up from 8.0%",
            "Aetna leaves claims on procedure 99213 open longer: a median age of 0.3 days, up from 0.08",
        } == {point.split(". Severity")[0] for point in content.points}

    def test_a_pass_that_finds_nothing_is_good_news(self, customer: Customer, payers: list[Payer]) -> None:
        claim(customer, payers[0], submitted_date=days(END, -20))
        detect_now(customer)
        content = drift.content(drift_of.measure(customer, START, END))
        assert ("No payer drifts", []) == (content.headline, content.charts)
        assert content.lead.startswith("1 detection pass compared")
