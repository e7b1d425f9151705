"""One file, one job, one transaction: it is stored as a whole or not at all."""

from __future__ import annotations

import itertools
import time
import uuid
from pathlib import PurePath
from typing import IO

from django.conf import settings
from django.core.cache import cache
from django.core.files import File
from django.db import transaction
from django.utils import timezone

from upstream import detection, jobs, metrics
from upstream.ingestion.reader import FileRejected, Record, read
from upstream.ingestion.scoring import Tally
from upstream.ingestion.validation import Check, Reason, Verdict, validate
from upstream.models import Claim, ClaimBatch, Customer, Job, Payer, QualityScore, RejectedRow
from upstream.text import shorten

CHUNK = 900
"""Rows per step; below 999, the number of parameters that every SQLite takes in one query."""
_PROGRESS_SECONDS = 600
_CACHE_PREFIX = "ingest_progress"
_ANSWER = ("adjudicated_code", "paid_amount", "paid_date", "denied", "denial_reason")
"""What a payer's answer changes of a claim that waited for it."""
KIND = "ingest"
"""The kind of job that ingests a batch."""


def receive(customer: Customer, content: IO[bytes], filename: str) -> ClaimBatch:
    """Keep a file of claims, and have a job ingest it."""
    return _receive(customer, content, filename)[0]


def ingest_now(customer: Customer, content: IO[bytes], filename: str) -> ClaimBatch:
    """The same in this process, without a worker; the finished batch.

    Raises:
        FileRejected: the file as a whole is unusable; nothing but the failed batch with its error is stored.
        django.db.DatabaseError: likewise, when the database fails.
    """
    batch, job = _receive(customer, content, filename, hold=True)
    try:
        jobs.run_now(job)
    finally:
        batch.refresh_from_db()
    return batch


def _receive(customer: Customer, content: IO[bytes], filename: str, *, hold: bool = False) -> tuple[ClaimBatch, Job]:
    name = PurePath(filename).name[:255] or "claims.csv"
    batch = ClaimBatch(customer=customer, filename=name)
    # The name under which it waits says nothing of what is in it.
    batch.file.save(f"{uuid.uuid4()}.csv", File(content), save=False)
    try:
        with transaction.atomic():
            batch.save()
            job = jobs.enqueue(KIND, customer, hold=hold, batch=batch.pk)
    except BaseException:
        batch.file.delete(save=False)
        raise
    return batch, job


def ingest(run: jobs.Run) -> None:
    """Store the good rows of a batch's file and the bad ones with their reasons, and score the batch.

    A row with the payer's answer to a claim on file that waits for it changes that claim. The batch is a success
    when every row was stored, a failure when none was, else partial. Where any was, drift is looked for next.

    Raises:
        FileRejected: the file as a whole is unusable.
    """
    batch = ClaimBatch.objects.select_related("customer").get(pk=run.job.arguments["batch"])
    customer = batch.customer.code
    began = time.perf_counter()
    tally = Tally()
    try:
        with batch.file.open("rb") as stream, run.completing():
            scores = _store(batch, stream, tally)
            run.result = {"rows": batch.row_count, "accepted": batch.accepted_count}
            if batch.accepted_count and settings.UPSTREAM_DETECT_AFTER_INGESTION:
                detection.follow(batch.customer)
    except FileRejected:
        metrics.track_ingestion(customer, tally.rows, "failed")
        raise
    finally:
        metrics.track_ingestion_processing(customer, time.perf_counter() - began)
    _measure(batch, tally, scores)


def give_up(job: Job) -> None:
    """Fail the batch of a job that is not tried again."""
    batch = ClaimBatch.objects.get(pk=job.arguments["batch"])
    batch.status = ClaimBatch.Status.FAILED
    batch.error = job.error if job.error_type == FileRejected.__name__ else job.error_type
    batch.finished_at = timezone.now()
    _forget_file(batch)
    batch.save()


def progress(batch: ClaimBatch) -> int:
    """How many rows of a batch have been read so far."""
    if batch.status != ClaimBatch.Status.PROCESSING:
        return batch.row_count
    rows = cache.get(_key(batch.pk))
    (metrics.track_cache_miss if rows is None else metrics.track_cache_hit)(_CACHE_PREFIX)
    return rows or 0


def _store(batch: ClaimBatch, stream: IO[bytes], tally: Tally) -> dict[str, float]:
    # A cache may outlive a database, whose ids begin again.
    cache.set(_key(batch.pk), 0, _PROGRESS_SECONDS)
    # Where transactions run side by side, the lock keeps two files of a customer from storing one claim twice.
    customer = Customer.objects.select_for_update(no_key=True).get(pk=batch.customer_id)
    payers = dict(Payer.objects.values_list("code", "pk"))
    today = timezone.localdate()
    records = read(stream)
    while chunk := list(itertools.islice(records, CHUNK)):
        judged = [(record, validate(record, customer.code, payers, today)) for record in chunk]
        new, answered = _tell_apart([verdict for _, verdict in judged], batch)
        for _, verdict in judged:
            tally.add(verdict)
        Claim.objects.bulk_create(Claim(customer=customer, batch=batch, **verdict.claim) for verdict in new)
        Claim.objects.bulk_update(answered, _ANSWER)
        RejectedRow.objects.bulk_create(_rejected(batch, *pair) for pair in judged if pair[1].reasons)
        cache.set(_key(batch.pk), tally.rows, _PROGRESS_SECONDS)
    scores = tally.scores()
    QualityScore.objects.bulk_create(
        QualityScore(batch=batch, metric_type=name, score=score) for name, score in scores.items()
    )
    batch.row_count, batch.accepted_count = tally.rows, tally.accepted
    batch.rejected_count = tally.rows - tally.accepted
    if batch.accepted_count == 0:
        batch.status = ClaimBatch.Status.FAILED
    else:
        batch.status = ClaimBatch.Status.PARTIAL if batch.rejected_count else ClaimBatch.Status.SUCCESS
    batch.finished_at = timezone.now()
    _forget_file(batch)
    batch.save()
    return scores


def _forget_file(batch: ClaimBatch) -> None:
    """Remove an upload with its last use: what is in it is private, and stored now or refused."""
    name, storage = batch.file.name, batch.file.storage
    batch.file = ""
    if name:
        transaction.on_commit(lambda: storage.delete(name))


def _tell_apart(verdicts: list[Verdict], batch: ClaimBatch) -> tuple[list[Verdict], list[Claim]]:
    """The new claims, and those on file whose payer has answered; all other rows are refused as duplicates."""
    good = [verdict for verdict in verdicts if not verdict.reasons]
    ids = {verdict.claim["claim_id"] for verdict in good}
    # Claims of this file's earlier chunks are found here too: they are in the same transaction.
    stored = {claim.claim_id: claim for claim in Claim.objects.filter(customer_id=batch.customer_id, claim_id__in=ids)}
    new, answered = [], []
    for verdict in good:
        claim_id = verdict.claim["claim_id"]
        known = stored.get(claim_id)
        if known is None:
            stored[claim_id] = Claim(batch=batch, **verdict.claim)
            new.append(verdict)
        elif known.batch_id != batch.pk and _is_answer(verdict, known):
            for name in _ANSWER:
                setattr(known, name, verdict.claim.get(name, None if name == "paid_date" else ""))
            answered.append(known)
        else:
            where = "this file" if known.batch_id == batch.pk else "an earlier file"
            verdict.reasons.append(Reason("claim_id", Check.DUPLICATE, claim_id, f"an id that is not in {where} yet"))
    return new, answered


def _is_answer(verdict: Verdict, known: Claim) -> bool:
    """Whether a row is the same claim as one that waits, and has the payer's answer to it."""
    row = verdict.claim
    is_same = (row["payer_id"], row["submitted_date"]) == (known.payer_id, known.submitted_date)
    is_answered = row["denied"] or row.get("paid_date") is not None
    return is_same and is_answered and not known.denied and known.paid_date is None


def _rejected(batch: ClaimBatch, record: Record, verdict: Verdict) -> RejectedRow:
    # A NUL is what PostgreSQL cannot store.
    row = {name: shorten(value.replace("\0", "\\0"), 200) for name, value in record.values.items()}
    reasons = [
        {name: text.replace("\0", "\\0") for name, text in reason.as_json().items()} for reason in verdict.reasons
    ]
    return RejectedRow(batch=batch, line_number=record.line, row=row, reasons=reasons)


def _measure(batch: ClaimBatch, tally: Tally, scores: dict[str, float]) -> None:
    customer = batch.customer.code
    if batch.accepted_count:
        metrics.track_ingestion(customer, batch.accepted_count, batch.status)
    if batch.rejected_count:
        metrics.track_ingestion(customer, batch.rejected_count, "failed")
    for check, count in tally.failures.items():
        metrics.track_data_quality_check_failed(str(check), check.severity, customer, count)
    for name, score in scores.items():
        metrics.track_data_quality_score(customer, name, score)


def _key(batch_id: int) -> str:
    return f"{_CACHE_PREFIX}:{batch_id}"
