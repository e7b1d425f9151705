from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from django.core.cache import cache
from django.db import DatabaseError, connection

from upstream import jobs
from upstream.ingestion import FileRejected, ingest_now, progress, receive, service
from upstream.ingestion.reader import read
from upstream.ingestion.scoring import Tally
from upstream.models import Claim, ClaimBatch, Customer, Job, Payer, QualityScore, RejectedRow
from upstream.tests.conftest import Calls, line, named, stream, work

pytestmark = pytest.mark.usefixtures("payers")


def rows(count: int, start: int = 1) -> list[str]:
    return [line(claim_id=f"C-{number}") for number in range(start, start + count)]


class TestBatch:
    def test_good_file_is_a_success(self, customer: Customer, tracked: Calls) -> None:
        batch = ingest_now(customer, stream(*rows(3)), "/some/where/claims.csv")
        batch.refresh_from_db()
        assert ("claims.csv", "success", 3, 3, 0) == (
            batch.filename,
            batch.status,
            batch.row_count,
            batch.accepted_count,
            batch.rejected_count,
        )
        assert batch.finished_at is not None
        assert [("mercy", 3, "success")] == named(tracked, "track_ingestion")
        assert 1 == len(named(tracked, "track_ingestion_processing"))

    def test_claim_is_stored_as_given(self, customer: Customer) -> None:
        ingest_now(customer, stream(line(payer="cigna")), "claims.csv")
        claim = Claim.objects.get()
        assert ("C-1", "cigna", "99213", Decimal("125.50"), Decimal("100.00"), "2025-01-25", False, "") == (
            claim.claim_id,
            claim.payer.code,
            claim.procedure_code,
            claim.billed_amount,
            claim.paid_amount,
            str(claim.paid_date),
            claim.denied,
            claim.denial_reason,
        )

    def test_bad_rows_are_kept_with_their_reasons(self, customer: Customer, tracked: Calls) -> None:
        batch = ingest_now(customer, stream(line(), line(claim_id="C-2", payer="nobody"), "broken"), "claims.csv")
        assert ("partial", 1, 2) == (batch.status, batch.accepted_count, batch.rejected_count)
        unknown, broken = batch.rejected_rows.order_by("line_number")
        assert (3, "nobody") == (unknown.line_number, unknown.row["payer"])
        assert [
            {
                "column": "payer",
                "check": "referential_integrity",
                "given": "nobody",
                "valid": "the code of a known payer",
            }
        ] == unknown.reasons
        assert (4, {"customer": "broken"}) == (broken.line_number, broken.row)
        assert [("mercy", 1, "partial"), ("mercy", 2, "failed")] == named(tracked, "track_ingestion")
        assert [
            ("referential_integrity", "critical", "mercy", 1),
            ("invalid_format", "error", "mercy", 1),
        ] == named(tracked, "track_data_quality_check_failed")

    def test_no_good_row_is_a_failure(self, customer: Customer) -> None:
        batch = ingest_now(customer, stream(line(payer="nobody")), "claims.csv")
        assert ("failed", 0, 1) == (batch.status, batch.accepted_count, batch.rejected_count)

    def test_nul_is_kept_as_text(self, customer: Customer) -> None:
        batch = ingest_now(customer, stream(line(claim_id="a\0b")), "claims.csv")
        assert "a\\0b" == batch.rejected_rows.get().row["claim_id"]

    def test_scores_are_stored_and_measured(self, customer: Customer, tracked: Calls) -> None:
        batch = ingest_now(customer, stream(*rows(3), line(claim_id="C-9", procedure_code="?")), "claims.csv")
        expected = {"completeness": 1.0, "accuracy": 0.75, "timeliness": 1.0, "consistency": 1.0}
        assert expected == dict(batch.scores.values_list("metric_type", "score"))
        assert expected == {name: score for _, name, score in named(tracked, "track_data_quality_score")}


class TestDuplicates:
    def refused(self, batch: ClaimBatch) -> list[tuple[int, str]]:
        found = batch.rejected_rows.order_by("line_number")
        return [(row.line_number, row.reasons[0]["valid"]) for row in found]

    def test_within_a_file(self, customer: Customer, tracked: Calls) -> None:
        batch = ingest_now(customer, stream(*rows(2), line(claim_id="C-1", payer="cigna")), "claims.csv")
        assert [(4, "an id that is not in this file yet")] == self.refused(batch)
        assert "aetna" == Claim.objects.get(claim_id="C-1").payer.code
        assert [("duplicate_record", "warning", "mercy", 1)] == named(tracked, "track_data_quality_check_failed")

    def test_within_a_file_across_chunks(self, customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service, "CHUNK", 2)
        batch = ingest_now(customer, stream(*rows(5), line(claim_id="C-1")), "claims.csv")
        assert [(7, "an id that is not in this file yet")] == self.refused(batch)
        assert 5 == Claim.objects.count()

    def test_with_an_earlier_file(self, customer: Customer) -> None:
        ingest_now(customer, stream(*rows(3)), "one.csv")
        batch = ingest_now(customer, stream(*rows(3, start=3)), "two.csv")
        assert ("partial", [(2, "an id that is not in an earlier file yet")]) == (batch.status, self.refused(batch))

    def test_a_refused_row_does_not_take_the_id(self, customer: Customer) -> None:
        batch = ingest_now(customer, stream(line(payer="nobody"), line()), "claims.csv")
        assert (1, 1) == (batch.accepted_count, batch.rejected_count)

    def test_another_customer_may_use_the_same_id(self, customer: Customer) -> None:
        ingest_now(customer, stream(*rows(1)), "one.csv")
        other = Customer.objects.create(code="other", name="Other")
        assert "success" == ingest_now(other, stream(line(customer="other")), "two.csv").status


class TestAnswers:
    """A claim that waited is sent again when its payer has answered."""

    WAITING = {"paid_amount": "", "paid_date": ""}
    DENIAL = {**WAITING, "denied": "true", "denial_reason": "not covered"}

    def answer(self, customer: Customer, *later: str, **first: str) -> tuple[ClaimBatch, Claim]:
        ingest_now(customer, stream(line(**{**self.WAITING, **first})), "one.csv")
        return ingest_now(customer, stream(*later), "two.csv"), Claim.objects.get()

    def test_a_payment_changes_it(self, customer: Customer, tracked: Calls) -> None:
        batch, claim = self.answer(customer, line())
        assert ("success", 1) == (batch.status, batch.accepted_count)
        assert (Decimal("100.00"), "2025-01-25", False) == (claim.paid_amount, str(claim.paid_date), claim.denied)
        assert [("mercy", 1, "success")] * 2 == named(tracked, "track_ingestion")
        assert [] == named(tracked, "track_data_quality_check_failed")

    def test_a_denial_changes_it(self, customer: Customer) -> None:
        batch, claim = self.answer(customer, line(**self.DENIAL))
        assert "success" == batch.status
        assert (True, "not covered", None, Decimal(0)) == (
            claim.denied,
            claim.denial_reason,
            claim.paid_date,
            claim.paid_amount,
        )

    def test_only_one_answer_does(self, customer: Customer) -> None:
        batch, claim = self.answer(customer, line(), line(**self.DENIAL))
        assert (1, 1) == (batch.accepted_count, batch.rejected_count)
        assert not claim.denied

    @pytest.mark.parametrize(
        ("first", "later"),
        [
            ({}, {"paid_amount": "", "paid_date": ""}),
            ({"paid_amount": "90.00", "paid_date": "2025-01-20"}, {}),
            ({"denied": "true", "denial_reason": "not covered"}, {}),
            ({}, {"payer": "cigna"}),
            ({}, {"submitted_date": "2025-01-06"}),
        ],
        ids=["no answer", "paid before", "denied before", "another payer", "submitted on another day"],
    )
    def test_what_is_none_is_refused(self, customer: Customer, first: dict[str, str], later: dict[str, str]) -> None:
        batch, claim = self.answer(customer, line(**later), **first)
        assert ("failed", "duplicate_record") == (batch.status, batch.rejected_rows.get().reasons[0]["check"])
        assert first.get("paid_date") == (claim.paid_date and str(claim.paid_date))
        assert "aetna" == claim.payer.code


class TestNothingHalfStored:
    @pytest.fixture(autouse=True)
    def small_chunks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service, "CHUNK", 2)

    def expect_only_a_failed_batch(self, error: str) -> None:
        for model in (Claim, RejectedRow, QualityScore):
            assert 0 == model.objects.count()
        batch = ClaimBatch.objects.get()
        assert ("failed", 0, 0, 0) == (batch.status, batch.row_count, batch.accepted_count, batch.rejected_count)
        assert error in batch.error
        assert batch.finished_at is not None
        job = Job.objects.get()
        assert ("data_sync", "failed") == (job.job_type, job.status)

    @pytest.mark.parametrize(
        ("last", "error"),
        [
            (b"\xff\n", "line 8: byte 0xff at position 1 is not UTF-8"),
            (b"mercy,aetna", "line 8: the file ends in the middle of a row"),
            (b"x" * 70_000 + b"\n", "line 8: longer than 65,536 bytes"),
            (b'mercy,"' + b"x" * 9_000 + b'"\n', "line 8: a field is longer than 8,192 characters"),
        ],
    )
    def test_when_the_file_goes_wrong_after_some_chunks(
        self, customer: Customer, tracked: Calls, last: bytes, error: str
    ) -> None:
        good = stream(*rows(5), line(payer="nobody", claim_id="C-9")).getvalue()
        with pytest.raises(FileRejected, match=error.replace("(", r"\(")):
            ingest_now(customer, io.BytesIO(good + last), "claims.csv")
        self.expect_only_a_failed_batch(error)
        assert [("mercy", 6, "failed")] == named(tracked, "track_ingestion")
        assert [("data_sync", "FileRejected", "mercy")] == named(tracked, "track_job_failed")
        assert [] == named(tracked, "track_job_completed")
        assert [] == named(tracked, "track_data_quality_score")

    def test_when_the_header_is_wrong(self, customer: Customer) -> None:
        with pytest.raises(FileRejected, match="wrong header"):
            ingest_now(customer, io.BytesIO(b"a,b\n1,2\n"), "claims.csv")
        self.expect_only_a_failed_batch("missing: customer, payer")

    def test_when_the_database_fails(self, customer: Customer, tracked: Calls) -> None:
        def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if "INSERT" in sql and "claim" in sql and b"C-5" in repr(params).encode():
                raise DatabaseError("disk full; and C-5 is nobody's business")
            return execute(sql, params, many, context)

        with connection.execute_wrapper(fail), pytest.raises(DatabaseError):
            ingest_now(customer, stream(*rows(6)), "claims.csv")
        self.expect_only_a_failed_batch("DatabaseError")
        assert [("data_sync", "DatabaseError", "mercy")] == named(tracked, "track_job_failed")

    def test_when_the_worker_is_told_to_stop(self, customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
        def stopping(content: BinaryIO) -> Iterator[Any]:
            yield from itertools.islice(read(content), 5)
            raise SystemExit(1)

        monkeypatch.setattr(service, "read", stopping)
        with pytest.raises(SystemExit):
            ingest_now(customer, stream(*rows(20)), "claims.csv")
        self.expect_only_a_failed_batch("SystemExit")


class TestJob:
    def test_is_completed(self, customer: Customer, tracked: Calls) -> None:
        ingest_now(customer, stream(*rows(1)), "claims.csv")
        assert [("data_sync", "completed"), ("drift_detection", "queued")] == list(
            Job.objects.order_by("pk").values_list("job_type", "status")
        )
        assert [("data_sync", "mercy")] == named(tracked, "track_job_completed")

    def test_a_file_that_is_received_waits_for_it(self, customer: Customer) -> None:
        batch = receive(customer, stream(*rows(2)), "/some/where/claims.csv")
        assert ("claims.csv", "processing", 0) == (batch.filename, batch.status, Claim.objects.count())
        assert 2 == work(), "it, and the detection that follows"
        batch.refresh_from_db()
        assert ("success", 2) == (batch.status, Claim.objects.count())
        assert {"rows": 2, "accepted": 2} == Job.objects.get(name="ingest").result

    def test_a_database_that_fails_once_is_tried_again(self, customer: Customer, tracked: Calls, settings: Any) -> None:
        settings.UPSTREAM_RETRY_SECONDS = 0
        batch = receive(customer, stream(*rows(3)), "claims.csv")
        failures = iter([DatabaseError("once")])

        def fail_once(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if "INSERT" in sql and "claim" in sql and (error := next(failures, None)):
                raise error
            return execute(sql, params, many, context)

        with connection.execute_wrapper(fail_once):
            assert 3 == work(), "the detection that follows included"
        batch.refresh_from_db()
        assert ("success", "", 3) == (batch.status, batch.error, Claim.objects.count())
        assert [("mercy", 3, "success")] == named(tracked, "track_ingestion")
        assert [("data_sync", "DatabaseError", "mercy")] == named(tracked, "track_job_failed")
        assert 2 == named(tracked, "track_job_started").count(("data_sync", "mercy"))


class TestUpload:
    """What is in an upload is private: it is gone when its job is over."""

    def files(self, uploads: Path) -> list[Path]:
        return [path for path in uploads.rglob("*") if path.is_file()]

    @pytest.mark.parametrize("content", [stream(*rows(1)).getvalue(), b"nonsense"])
    def test_is_removed_with_the_end_of_the_job(
        self, customer: Customer, uploads: Path, content: bytes, django_capture_on_commit_callbacks: Any
    ) -> None:
        receive(customer, io.BytesIO(content), "claims.csv")
        assert [content] == [path.read_bytes() for path in self.files(uploads)]
        with django_capture_on_commit_callbacks(execute=True):
            work()
        assert [] == self.files(uploads)
        assert "" == ClaimBatch.objects.get().file.name

    def test_is_for_nobody_else_to_read(self, customer: Customer, uploads: Path) -> None:
        receive(customer, stream(*rows(1)), "claims.csv")
        (file,) = self.files(uploads)
        assert (0o600, 0o700) == (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777)

    def test_is_not_kept_where_no_job_can_be_made(
        self, customer: Customer, uploads: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: Any, **kwargs: Any) -> None:
            raise DatabaseError("full")

        monkeypatch.setattr(jobs, "enqueue", fail)
        with pytest.raises(DatabaseError):
            receive(customer, stream(*rows(1)), "claims.csv")
        assert ([], 0) == (self.files(uploads), ClaimBatch.objects.count())


class TestProgress:
    def test_is_told_while_the_file_is_read(
        self, customer: Customer, tracked: Calls, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "CHUNK", 2)
        seen: list[int] = []

        def watching(content: BinaryIO) -> Iterator[Any]:
            for count, record in enumerate(read(content)):
                if count % 2 == 0:
                    seen.append(progress(ClaimBatch.objects.get()))
                yield record

        monkeypatch.setattr(service, "read", watching)
        batch = ingest_now(customer, stream(*rows(6)), "claims.csv")
        assert [0, 2, 4] == seen
        assert 6 == progress(batch)
        assert [("ingest_progress",)] * 3 == named(tracked, "track_cache_hit")

    def test_is_0_when_the_cache_has_forgotten(self, customer: Customer, tracked: Calls) -> None:
        assert 0 == progress(ClaimBatch.objects.create(customer=customer, filename="claims.csv"))
        assert [("ingest_progress",)] == named(tracked, "track_cache_miss")

    def test_of_a_file_before_is_forgotten(self, customer: Customer) -> None:
        cache.set("ingest_progress:1", 77)
        batch = ClaimBatch.objects.create(pk=1, customer=customer, filename="claims.csv")
        with pytest.raises(FileRejected):
            service._store(batch, io.BytesIO(b""), Tally())
        assert 0 == progress(batch)


class TestPayers:
    def test_added_meanwhile_are_known_to_the_next_file(self, customer: Customer) -> None:
        ingest_now(customer, stream(line(payer="humana")), "one.csv")
        Payer.objects.create(code="humana", name="Humana")
        assert "success" == ingest_now(customer, stream(line(payer="humana")), "two.csv").status
