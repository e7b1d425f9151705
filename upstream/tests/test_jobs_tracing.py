"""A job is sent in the trace of whoever asked for it, whoever sends it."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from opentelemetry import baggage, propagate
from opentelemetry.context import attach, detach
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from upstream import jobs
from upstream.celery import app
from upstream.jobs import tracing
from upstream.models import Customer, Job


@contextmanager
def being(name: str, **options: Any) -> Iterator[Span]:
    """In a span that is the root of its trace."""
    span = TracerProvider(**options).get_tracer("test").start_span(name)
    with use_span(span, end_on_exit=True):
        yield span


def traceparent(span: Span) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The current span whenever the broker is told of a job."""
    told: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda name, args: told.append(traceparent(get_current_span())))
    return told


def ask(customer: Customer) -> Job:
    return jobs.enqueue("quality", customer, day="2025-06-30")


def stored(job: Job) -> str:
    return Job.objects.values_list("traceparent", flat=True).get(pk=job.pk)


class TestEnqueue:
    def test_keeps_the_trace(self, customer: Customer) -> None:
        with being("upload") as upload:
            job = ask(customer)
        assert (traceparent(upload), 55) == (stored(job), len(stored(job)))

    def test_keeps_that_it_is_not_sampled(self, customer: Customer) -> None:
        with being("upload", sampler=ALWAYS_OFF) as upload:
            job = ask(customer)
        assert traceparent(upload) == stored(job)
        assert not int(stored(job)[-2:]) & TraceFlags.SAMPLED

    def test_keeps_none_where_there_is_none(self, customer: Customer) -> None:
        assert "" == stored(ask(customer))

    def test_keeps_the_first_one_of_a_key(self, customer: Customer) -> None:
        with being("first") as first:
            jobs.enqueue("quality", customer, key="today", day="2025-06-30")
        with being("second"):
            job = jobs.enqueue("quality", customer, key="today", day="2025-06-30")
        assert traceparent(first) == stored(job)

    def test_keeps_nothing_else_of_the_caller(self, customer: Customer, sent: list[str]) -> None:
        state = TraceState([("vendor", "private")])
        caller = NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=state))
        token = attach(baggage.set_baggage("patient", "private", set_span_in_context(caller)))
        try:
            job = ask(customer)
        finally:
            detach(token)
        assert "private" not in str(Job.objects.values().get(pk=job.pk))
        with tracing.joined(stored(job)):
            assert 0 == len(get_current_span().get_span_context().trace_state) + len(baggage.get_all())

    def test_keeps_what_fits_of_a_later_version(self, customer: Customer) -> None:
        class Later(TraceContextTextMapPropagator):
            def inject(self, carrier: Any, *args: Any, **options: Any) -> None:
                carrier["traceparent"] = f"01-{'1' * 32}-{'2' * 16}-01-and more"

        before = propagate.get_global_textmap()
        propagate.set_global_textmap(Later())
        try:
            job = ask(customer)
        finally:
            propagate.set_global_textmap(before)
        assert f"01-{'1' * 32}-{'2' * 16}-01" == stored(job)


class TestSend:
    def test_by_who_asked_is_in_the_span_that_there_is(
        self, customer: Customer, sent: list[str], django_capture_on_commit_callbacks: Any
    ) -> None:
        with being("upload") as upload, django_capture_on_commit_callbacks(execute=True):
            ask(customer)
        assert [traceparent(upload)] == sent

    def test_by_a_part_of_the_same_trace_is_in_that_part(self, customer: Customer, sent: list[str]) -> None:
        with being("upload") as upload:
            job = ask(customer)
        part = TracerProvider().get_tracer("test").start_span("part", set_span_in_context(upload))
        with use_span(part, end_on_exit=True):
            jobs.send(job)
        assert [traceparent(part)] == sent != [traceparent(upload)]

    def test_by_the_sweeper(self, customer: Customer, sent: list[str]) -> None:
        with being("upload") as upload:
            ask(customer)
        with being("sweep") as sweep:
            assert 1 == jobs.sweep().sent
            assert traceparent(sweep) == traceparent(get_current_span())
        assert [traceparent(upload)] == sent

    def test_by_a_sweeper_without_a_trace(self, customer: Customer, sent: list[str]) -> None:
        with being("upload") as upload:
            ask(customer)
        assert 1 == jobs.sweep().sent
        assert [traceparent(upload)] == sent

    def test_by_the_sweeper_after_a_worker_was_lost(self, customer: Customer, sent: list[str]) -> None:
        with being("upload") as upload:
            ask(customer)
        over = timezone.now() - datetime.timedelta(seconds=1)
        Job.objects.update(status="running", attempts=1, lease=uuid.uuid4(), lease_until=over)
        with being("sweep"):
            swept = jobs.sweep()
        assert (1, 1, [traceparent(upload)]) == (swept.lost, swept.sent, sent)

    def test_each_in_its_own(self, customer: Customer, sent: list[str]) -> None:
        uploads = []
        for _ in range(2):
            with being("upload") as upload:
                ask(customer)
            uploads.append(traceparent(upload))
        ask(customer)
        with being("sweep") as sweep:
            assert 3 == jobs.sweep().sent
        assert [*uploads, traceparent(sweep)] == sent

    @pytest.mark.parametrize(
        "bad",
        [
            "",
            "nonsense",
            "\u00e9\0\n",
            f"00-{'0' * 32}-{'2' * 16}-01",
            f"00-{'1' * 32}-{'0' * 16}-01",
            f"00-{'G' * 32}-{'2' * 16}-01",
            f"ff-{'1' * 32}-{'2' * 16}-01",
            f"00-{'1' * 32}-{'2' * 16}",
        ],
    )
    def test_what_is_no_trace_is_ignored(self, customer: Customer, sent: list[str], bad: str) -> None:
        job = ask(customer)
        job.traceparent = bad
        with being("sweep") as sweep:
            jobs.send(job)
        assert [traceparent(sweep)] == sent

    def test_what_fails_leaves_the_sweeps_trace_in_place(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*args: object) -> None:
            raise ConnectionRefusedError

        monkeypatch.setattr(app, "send_task", refuse)
        with being("upload"):
            job = ask(customer)
        with being("sweep") as sweep:
            jobs.send(job)
            assert sweep is get_current_span()


class TestRetry:
    def test_is_of_the_trace_of_who_wants_it(
        self, customer: Customer, sent: list[str], django_capture_on_commit_callbacks: Any
    ) -> None:
        with being("upload"):
            job = ask(customer)
        Job.objects.update(status="failed", finished_at=timezone.now())
        with being("operator") as operator, django_capture_on_commit_callbacks(execute=True), transaction.atomic():
            assert jobs.retry(job)
        Job.objects.update(sent_at=None)
        with being("sweep"):
            assert 1 == jobs.sweep().sent
        assert [traceparent(operator)] * 2 == sent
