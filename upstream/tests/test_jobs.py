from __future__ import annotations

from contextlib import ExitStack

import pytest
from django.db import DatabaseError, connection

from upstream import jobs
from upstream.models import Customer, Job
from upstream.tests.conftest import Calls, named

KIND = Job.JobType.DATA_EXPORT


class TestRun:
    def test_start_and_end_are_kept(self, customer: Customer, tracked: Calls) -> None:
        with jobs.run(KIND, customer) as job:
            assert ("running", None) == Job.objects.values_list("status", "finished_at").get()
            assert [("data_export", "mercy")] == named(tracked, "track_job_started")
            assert [] == named(tracked, "track_job_completed")
        job.refresh_from_db()
        assert "completed" == job.status
        assert job.finished_at is not None
        assert job.finished_at >= job.started_at
        assert [("data_export", "mercy")] == named(tracked, "track_job_completed")
        ((kind, seconds),) = named(tracked, "track_job_duration")
        assert "data_export" == kind
        assert seconds >= 0

    def test_failure_is_kept_and_raised_on(self, customer: Customer, tracked: Calls) -> None:
        with pytest.raises(ZeroDivisionError), jobs.run(KIND, customer):
            _ = 1 / 0
        job = Job.objects.get()
        assert ("failed", "ZeroDivisionError", "division by zero") == (job.status, job.error_type, job.error)
        assert [("data_export", "ZeroDivisionError", "mercy")] == named(tracked, "track_job_failed")
        assert [] == named(tracked, "track_job_completed")
        assert 1 == len(named(tracked, "track_job_duration"))

    def test_the_first_error_is_raised_when_the_failure_cannot_be_stored(
        self, customer: Customer, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(*args: object) -> None:
            raise DatabaseError("gone")

        with ExitStack() as stack, pytest.raises(ZeroDivisionError), jobs.run(KIND, customer):
            stack.enter_context(connection.execute_wrapper(fail))
            _ = 1 / 0
        assert "its failure could not be stored" in caplog.text
