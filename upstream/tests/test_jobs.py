"""The job table: each job done once, whatever brokers, databases and processes do."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from upstream import jobs
from upstream.celery import app
from upstream.errors import Later, Permanent
from upstream.jobs import registry
from upstream.models import Customer, Job, Payer
from upstream.tests.conftest import Calls, named, work

Declare = Callable[..., None]


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Declare a kind of work for one test: `declare(work, attempts=…, given_up=…)`; its name is "errand"."""
    monkeypatch.setattr(registry, "_kinds", dict(registry.kinds()))

    def declare(work: registry.Work, **options: Any) -> None:
        jobs.kind("errand", Job.JobType.DATA_EXPORT, **options)(work)

    return declare


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[int]]]:
    """What the broker is told: the task's name and its arguments."""
    told: list[tuple[str, tuple[int]]] = []
    monkeypatch.setattr(app, "send_task", lambda name, args: told.append((name, args)))
    return told


def leave_a_payer(run: jobs.Run) -> None:
    with run.completing():
        Payer.objects.create(code="left", name="Left by the job")


def fail(run: jobs.Run) -> None:
    raise ZeroDivisionError("division by zero")


def later(job: Job) -> None:
    """Let the wait before the next attempt be over."""
    Job.objects.filter(pk=job.pk).update(due_at=timezone.now())


class TestEnqueue:
    def test_is_sent_when_the_transaction_has_committed(
        self, customer: Customer, declare: Declare, sent: list[Any], django_capture_on_commit_callbacks: Any
    ) -> None:
        declare(leave_a_payer, attempts=4)
        with django_capture_on_commit_callbacks(execute=True):
            job = jobs.enqueue("errand", customer, what="this", how=2)
            assert [] == sent
        assert [("upstream.errand", (job.pk,))] == sent
        job.refresh_from_db()
        assert ("errand", "data_export", {"what": "this", "how": 2}, "queued", 0, 4) == (
            job.name,
            job.job_type,
            job.arguments,
            job.status,
            job.attempts,
            job.max_attempts,
        )
        assert job.sent_at is not None

    def test_is_not_there_when_the_transaction_is_rolled_back(
        self, customer: Customer, declare: Declare, sent: list[Any], django_capture_on_commit_callbacks: Any
    ) -> None:
        declare(leave_a_payer)
        with (
            django_capture_on_commit_callbacks(execute=True),
            pytest.raises(ZeroDivisionError),
            transaction.atomic(),
        ):
            jobs.enqueue("errand", customer)
            _ = 1 / 0
        assert ([], 0) == (sent, Job.objects.count())

    def test_the_same_key_is_the_same_job(
        self, customer: Customer, declare: Declare, sent: list[Any], django_capture_on_commit_callbacks: Any
    ) -> None:
        declare(leave_a_payer)
        with django_capture_on_commit_callbacks(execute=True):
            first, second = (jobs.enqueue("errand", customer, key="today", number=number) for number in (1, 2))
        assert (first.pk, {"number": 1}) == (second.pk, second.arguments)
        assert 1 == len(sent)

    def test_an_unknown_kind_is_named(self, customer: Customer) -> None:
        with pytest.raises(LookupError, match="kind of job 'erand' is not known; known: deliver, detect, ingest"):
            jobs.enqueue("erand", customer)

    @pytest.mark.parametrize("error", [OperationalError("refused"), ConnectionRefusedError("refused")])
    def test_waits_in_the_table_where_the_broker_is_away(
        self,
        customer: Customer,
        declare: Declare,
        sent: list[Any],
        monkeypatch: pytest.MonkeyPatch,
        django_capture_on_commit_callbacks: Any,
        error: Exception,
    ) -> None:
        def refuse(*args: object) -> None:
            raise error

        declare(leave_a_payer)
        with monkeypatch.context() as patch, django_capture_on_commit_callbacks(execute=True):
            patch.setattr(app, "send_task", refuse)
            job = jobs.enqueue("errand", customer)
        job.refresh_from_db()
        assert ("queued", None) == (job.status, job.sent_at)
        assert 1 == jobs.sweep().sent
        assert [("upstream.errand", (job.pk,))] == sent


class TestAttempt:
    def test_completes_a_job_with_its_effects(self, customer: Customer, declare: Declare, tracked: Calls) -> None:
        def export(run: jobs.Run) -> None:
            assert ("running", 1) == Job.objects.values_list("status", "attempts").get()
            assert [("data_export", "mercy")] == named(tracked, "track_job_started")
            with run.completing():
                Payer.objects.create(code="left", name="Left")
                run.result = {"rows": 3}
                assert [] == named(tracked, "track_job_completed")

        declare(export)
        job = jobs.enqueue("errand", customer)
        jobs.attempt(job.pk)
        job.refresh_from_db()
        assert ("completed", {"rows": 3}, None, "") == (job.status, job.result, job.lease, job.error)
        assert job.finished_at is not None
        assert job.started_at is not None
        assert job.finished_at >= job.started_at
        assert [("data_export", "mercy")] == named(tracked, "track_job_completed")
        ((kind, seconds),) = named(tracked, "track_job_duration")
        assert "data_export" == kind
        assert seconds >= 0

    def test_completes_one_that_stores_nothing(self, customer: Customer, declare: Declare) -> None:
        declare(lambda run: None)
        job = jobs.enqueue("errand", customer)
        jobs.attempt(job.pk)
        job.refresh_from_db()
        assert "completed" == job.status

    def test_stores_neither_where_one_fails(self, customer: Customer, declare: Declare) -> None:
        def fail_late(run: jobs.Run) -> None:
            with run.completing():
                Payer.objects.create(code="left", name="Left")
                raise DatabaseError("full")

        declare(fail_late)
        job = jobs.enqueue("errand", customer)
        with pytest.raises(jobs.AttemptFailed):
            jobs.attempt(job.pk)
        job.refresh_from_db()
        assert ("queued", "DatabaseError", 0) == (job.status, job.error_type, Payer.objects.count())

    def test_is_not_made_twice(self, customer: Customer, declare: Declare, tracked: Calls) -> None:
        def twice(run: jobs.Run) -> None:
            jobs.attempt(run.job.pk)
            leave_a_payer(run)

        declare(twice)
        job = jobs.enqueue("errand", customer)
        jobs.attempt(job.pk)
        jobs.attempt(job.pk)
        assert (1, 1) == (Payer.objects.count(), len(named(tracked, "track_job_started")))

    def test_of_a_job_that_is_gone_does_nothing(self, db: None, tracked: Calls) -> None:
        jobs.attempt(4711)
        assert [] == tracked


class TestFailure:
    def test_is_kept_and_another_attempt_is_due_later(
        self, customer: Customer, declare: Declare, tracked: Calls, settings: Any
    ) -> None:
        settings.UPSTREAM_RETRY_SECONDS = 10
        declare(fail, attempts=3)
        job = jobs.enqueue("errand", customer)
        for attempt, (least, most) in enumerate([(8, 10), (32, 40)], 1):
            with pytest.raises(jobs.AttemptFailed) as failed:
                jobs.attempt(job.pk)
            assert failed.value.again_in is not None
            assert least <= failed.value.again_in <= most
            job.refresh_from_db()
            assert ("queued", attempt, "ZeroDivisionError", "division by zero", None) == (
                job.status,
                job.attempts,
                job.error_type,
                job.error,
                job.finished_at,
            )
            assert datetime.timedelta() < job.due_at - timezone.now() <= datetime.timedelta(seconds=most)
            jobs.attempt(job.pk)
            later(job)
        assert [("data_export", "ZeroDivisionError", "mercy")] * 2 == named(tracked, "track_job_failed")
        assert 2 == len(named(tracked, "track_job_started")), "none is made before it is due"
        assert [] == named(tracked, "track_job_completed")

    def test_is_logged_without_what_the_error_says(
        self, customer: Customer, declare: Declare, caplog: pytest.LogCaptureFixture
    ) -> None:
        def secretive(run: jobs.Run) -> None:
            raise ValueError("a claim that is nobody's business")

        declare(secretive)
        job = jobs.enqueue("errand", customer)
        with pytest.raises(jobs.AttemptFailed) as failed:
            jobs.attempt(job.pk)
        assert "in secretive" in caplog.text
        assert "ValueError" in caplog.text
        assert "business" not in caplog.text + str(failed.value)

    def test_the_longest_wait_is_an_hour(self, customer: Customer, declare: Declare) -> None:
        declare(fail, attempts=50)
        job = jobs.enqueue("errand", customer)
        Job.objects.update(attempts=40)
        with pytest.raises(jobs.AttemptFailed) as failed:
            jobs.attempt(job.pk)
        assert failed.value.again_in is not None
        assert 2880 <= failed.value.again_in <= 3600

    @pytest.mark.parametrize(("asked", "least", "most"), [(100, 100, 100), (1, 8, 10), (1e9, 3600, 3600)])
    def test_a_wait_that_is_asked_for_is_kept(
        self, customer: Customer, declare: Declare, settings: Any, asked: float, least: float, most: float
    ) -> None:
        def ask(run: jobs.Run) -> None:
            raise Later("not now", asked)

        settings.UPSTREAM_RETRY_SECONDS = 10
        declare(ask)
        with pytest.raises(jobs.AttemptFailed) as failed:
            jobs.attempt(jobs.enqueue("errand", customer).pk)
        assert failed.value.again_in is not None
        assert least <= failed.value.again_in <= most

    def test_the_last_one_fails_the_job(self, customer: Customer, declare: Declare, settings: Any) -> None:
        settings.UPSTREAM_RETRY_SECONDS = 0
        given_up: list[tuple[str, str]] = []
        declare(fail, attempts=3, given_up=lambda job: given_up.append((job.status, job.error_type)))
        job = jobs.enqueue("errand", customer)
        assert 3 == work()
        job.refresh_from_db()
        assert ("failed", 3) == (job.status, job.attempts)
        assert job.finished_at is not None
        assert [("failed", "ZeroDivisionError")] == given_up

    def test_what_will_not_go_better_is_given_up_at_once(self, customer: Customer, declare: Declare) -> None:
        class Hopeless(Permanent, ValueError):
            pass

        def hopeless(run: jobs.Run) -> None:
            raise Hopeless("no such file")

        declare(hopeless, attempts=3)
        job = jobs.enqueue("errand", customer)
        assert 1 == work()
        job.refresh_from_db()
        assert ("failed", "Hopeless") == (job.status, job.error_type)

    def test_is_stored_with_what_is_given_up_or_not_at_all(
        self, customer: Customer, declare: Declare, tracked: Calls, caplog: pytest.LogCaptureFixture
    ) -> None:
        def give_up(job: Job) -> None:
            Payer.objects.create(code="left", name="Left")
            raise DatabaseError("full")

        declare(fail, attempts=1, given_up=give_up)
        job = jobs.enqueue("errand", customer)
        with pytest.raises(jobs.AttemptFailed):
            jobs.attempt(job.pk)
        job.refresh_from_db()
        assert ("running", 0) == (job.status, Payer.objects.count())
        assert "its failure could not be stored" in caplog.text
        assert [] == named(tracked, "track_job_failed"), "the sweeper counts it, when it finds it"

    def test_is_stored_where_what_is_given_up_is_gone(
        self, customer: Customer, declare: Declare, caplog: pytest.LogCaptureFixture
    ) -> None:
        def give_up(job: Job) -> None:
            Payer.objects.create(code="left", name="Left")
            Payer.objects.get(code="nobody")

        declare(fail, attempts=1, given_up=give_up)
        job = jobs.enqueue("errand", customer)
        assert 1 == work()
        job.refresh_from_db()
        assert ("failed", "ZeroDivisionError", 0) == (job.status, job.error_type, Payer.objects.count())
        assert "what came of its failure could not be stored" in caplog.text

    def test_an_interruption_is_kept_and_raised_on(self, customer: Customer, declare: Declare, tracked: Calls) -> None:
        def interrupted(run: jobs.Run) -> None:
            raise SystemExit(1)

        declare(interrupted, attempts=2)
        job = jobs.enqueue("errand", customer)
        with pytest.raises(SystemExit):
            jobs.attempt(job.pk)
        job.refresh_from_db()
        assert ("queued", "SystemExit") == (job.status, job.error_type)
        assert [("data_export", "SystemExit", "mercy")] == named(tracked, "track_job_failed")


class TestLease:
    def test_one_that_is_lost_takes_the_effects_with_it(
        self, customer: Customer, declare: Declare, tracked: Calls, caplog: pytest.LogCaptureFixture
    ) -> None:
        def slow(run: jobs.Run) -> None:
            # What a sweep and another worker do meanwhile.
            Job.objects.filter(pk=run.job.pk).update(lease=uuid.uuid4())
            leave_a_payer(run)

        declare(slow)
        job = jobs.enqueue("errand", customer)
        jobs.attempt(job.pk)
        job.refresh_from_db()
        assert ("running", 0) == (job.status, Payer.objects.count())
        assert "the lease was lost" in caplog.text
        assert ([], []) == (named(tracked, "track_job_completed"), named(tracked, "track_job_failed"))


class TestSweep:
    @pytest.fixture
    def lost(self, customer: Customer, declare: Declare) -> Job:
        """A job whose worker was killed: nobody renews its lease."""
        declare(leave_a_payer, attempts=2)
        job = jobs.enqueue("errand", customer)
        now = timezone.now()
        Job.objects.update(
            status="running", attempts=1, lease=uuid.uuid4(), lease_until=now - datetime.timedelta(seconds=1)
        )
        job.refresh_from_db()
        return job

    def test_a_lost_attempt_is_counted_and_the_job_sent_again(self, lost: Job, tracked: Calls, sent: list[Any]) -> None:
        assert (1, 1) == (jobs.sweep().lost, len(sent))
        lost.refresh_from_db()
        assert ("queued", "WorkerLost", None) == (lost.status, lost.error_type, lost.lease)
        assert [("data_export", "WorkerLost", "mercy")] == named(tracked, "track_job_failed")
        assert [("upstream.errand", (lost.pk,))] == sent
        assert 1 == work()
        lost.refresh_from_db()
        assert ("completed", 2, "") == (lost.status, lost.attempts, lost.error_type)

    def test_the_last_attempt_fails_the_job(self, lost: Job, sent: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
        given_up: list[str] = []
        errand = replace(registry.kinds()["errand"], given_up=lambda job: given_up.append(job.error_type))
        monkeypatch.setitem(registry._kinds, "errand", errand)
        Job.objects.update(attempts=2)
        assert 1 == jobs.sweep().lost
        lost.refresh_from_db()
        assert ("failed", ["WorkerLost"], []) == (lost.status, given_up, sent)

    def test_one_that_cannot_be_stored_does_not_stop_it(
        self, lost: Job, customer: Customer, sent: list[Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        other = jobs.enqueue("errand", customer)

        def fail_for_it(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if "UPDATE" in sql and "WorkerLost" in params:
                raise DatabaseError("deadlock")
            return execute(sql, params, many, context)

        with connection.execute_wrapper(fail_for_it):
            swept = jobs.sweep()
        assert (0, 1, [("upstream.errand", (other.pk,))]) == (swept.lost, swept.sent, sent)
        assert "that it was lost could not be stored" in caplog.text

    def test_a_living_attempt_is_left_alone(self, lost: Job, sent: list[Any], tracked: Calls) -> None:
        Job.objects.update(lease_until=timezone.now() + datetime.timedelta(seconds=30))
        swept = jobs.sweep()
        assert (0, 0, []) == (swept.lost, swept.sent, tracked)

    def test_one_that_was_renewed_meanwhile_is_left_alone(self, lost: Job, sent: list[Any], tracked: Calls) -> None:
        def renew(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            found = execute(sql, params, many, context)
            if sql.startswith("SELECT") and renewed:
                renewed.pop()
                Job.objects.update(lease_until=timezone.now() + datetime.timedelta(seconds=30))
            return found

        renewed = [True]
        with connection.execute_wrapper(renew):
            assert 0 == jobs.sweep().lost
        assert [] == tracked

    def test_what_was_sent_is_not_sent_again_too_soon(
        self, customer: Customer, declare: Declare, sent: list[Any], settings: Any
    ) -> None:
        declare(leave_a_payer)
        job = jobs.enqueue("errand", customer)
        jobs.send(job)
        assert (1, 0) == (len(sent), jobs.sweep().sent)
        settings.UPSTREAM_RESEND_SECONDS = 0
        assert (1, 2) == (jobs.sweep().sent, len(sent))

    def test_what_is_not_due_is_not_sent(self, customer: Customer, declare: Declare, sent: list[Any]) -> None:
        declare(leave_a_payer)
        jobs.enqueue("errand", customer, hold=True)
        assert (0, []) == (jobs.sweep().sent, sent)

    def test_a_kind_that_is_gone_does_not_stop_it(
        self, lost: Job, customer: Customer, sent: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = jobs.enqueue("errand", customer)
        Job.objects.filter(pk=other.pk).update(name="gone")
        Job.objects.filter(pk=lost.pk).update(name="gone", attempts=2)
        swept = jobs.sweep()
        lost.refresh_from_db()
        assert (1, 0, "failed") == (swept.lost, swept.sent, lost.status)


class TestRunNow:
    def test_does_the_work_here(self, customer: Customer, declare: Declare, sent: list[Any]) -> None:
        declare(leave_a_payer)
        job = jobs.enqueue("errand", customer, hold=True)
        jobs.run_now(job)
        assert ("completed", 1, []) == (job.status, Payer.objects.count(), sent)

    def test_raises_what_the_work_raised(self, customer: Customer, declare: Declare) -> None:
        declare(fail, attempts=5)
        job = jobs.enqueue("errand", customer, hold=True)
        with pytest.raises(ZeroDivisionError):
            jobs.run_now(job)
        assert "failed" == job.status
