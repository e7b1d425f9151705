"""Runs of Celery's tasks: one outcome each, whatever they do and whatever their message says."""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from billiard import common
from celery import signals
from celery.app.task import Context
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError
from kombu.transport.native_delayed_delivery import calculate_routing_key
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from telemetry.instrumentation.tasks import _celery, _recorder
from telemetry.samples import HistogramValue
from telemetry.store import MemoryStore, Table
from telemetry.tests.instrumentation.task_recording import (
    DURATION,
    IN_FLIGHT,
    KILLED,
    REFUSED,
    REVOKED,
    SENT,
    STARTED,
    WAIT,
    Calling,
    TaskRecording,
    an_app,
    run,
)
from telemetry.tests.servers.harness import CHECKOUT

NOW = 1_800_000_000.0

app = an_app()


@app.task(shared=False, name="shop.does")
def does(what: Any = None) -> Any:
    """Raises what it is given, if that is an exception or its class, else returns it."""
    if isinstance(what, BaseException | type):
        raise what
    return what


@app.task(shared=False, name="shop.again", bind=True, max_retries=2)
def again(self: Any, why: str = "") -> None:
    raise self.retry(exc=LookupError() if why else None, countdown=0)


@app.task(shared=False, name="shop.calls", bind=True, base=Calling)
def calls(self: Any) -> None:
    raise self.retry(countdown=0)


@contextlib.contextmanager
def in_request(**said: Any) -> Iterator[None]:
    """Within the block the task is being run for such a message."""
    does.request_stack.push(Context(said))
    try:
        yield
    finally:
        does.request_stack.pop()


@pytest.fixture
def recording() -> Iterator[TaskRecording]:
    with TaskRecording() as recording:
        yield recording
        assert [] == recording.dropped()


OUTCOMES = [
    (None, ("succeeded", "does")),
    (ValueError("private"), ("failed", "does", "ValueError")),
    (MemoryError(), ("failed", "does", "MemoryError")),
    (SoftTimeLimitExceeded(), ("failed", "does", "billiard.exceptions.SoftTimeLimitExceeded")),
    (WorkerLostError(), ("failed", "does", "billiard.exceptions.WorkerLostError")),
    (Ignore(), ("ignored", "does")),
    (Reject("no"), ("rejected", "does")),
]


class TestOutcomes:
    @pytest.mark.parametrize(("what", "end"), OUTCOMES, ids=lambda value: type(value).__name__)
    def test_in_a_worker(self, recording: TaskRecording, what: Any, end: tuple[str, ...]) -> None:
        run(does, what)
        assert {end: 1} == recording.ends()
        assert {("fast", "celery", "shop.does"): 1} == recording.values(STARTED)
        assert {(end[0], "celery", "shop.does"): 1} == recording.values(DURATION)
        assert {("fast", "celery", "shop.does"): 0} == recording.values(IN_FLIGHT)
        assert {} == recording.values(KILLED)

    @pytest.mark.parametrize(("what", "end"), OUTCOMES, ids=lambda value: type(value).__name__)
    def test_eagerly(self, recording: TaskRecording, what: Any, end: tuple[str, ...]) -> None:
        does.apply((what,))
        assert {end: 1} == recording.ends()
        assert {("", "celery", "shop.does"): 1} == recording.values(STARTED)
        assert {} == recording.values(WAIT)

    @pytest.mark.parametrize(("what", "end"), OUTCOMES, ids=lambda value: type(value).__name__)
    def test_eagerly_with_exceptions_let_through(
        self, recording: TaskRecording, what: Any, end: tuple[str, ...]
    ) -> None:
        if end[0] == "failed":
            with pytest.raises(type(what)):
                does.apply((what,), throw=True)
        else:
            does.apply((what,), throw=True)
        assert ({end: 1}, (1, 1, 0)) == (recording.ends(), recording.runs())

    @pytest.mark.parametrize("what", [SystemExit(3), KeyboardInterrupt()], ids=["SystemExit", "KeyboardInterrupt"])
    def test_what_celery_lets_through(self, recording: TaskRecording, what: BaseException) -> None:
        with pytest.raises(type(what)):
            run(does, what)
        assert ({("failed", "does", type(what).__name__): 1}, (1, 1, 0)) == (recording.ends(), recording.runs())

    def test_a_retry_tells_why(self, recording: TaskRecording) -> None:
        run(again, "LookupError")
        assert {("retried", "again", "LookupError"): 1} == recording.ends()

    def test_a_retry_for_no_reason(self, recording: TaskRecording) -> None:
        run(again)
        assert {("retried", "again", ""): 1} == recording.ends()

    def test_the_last_try_fails(self, recording: TaskRecording) -> None:
        run(again, "LookupError", retries=2)
        assert {("failed", "again", "LookupError"): 1} == recording.ends()

    def test_eager_retries_are_runs_within_each_other(self, recording: TaskRecording) -> None:
        again.apply(("LookupError",))
        assert {("retried", "again", "LookupError"): 2, ("failed", "again", "LookupError"): 1} == recording.ends()
        assert (3, 3, 0) == recording.runs()

    def test_around_it_an_exception_is_being_handled(self, recording: TaskRecording) -> None:
        try:
            raise OSError
        except OSError:
            does.apply((1,))
            does.apply((KeyError(),))
        assert {("succeeded", "does"): 1, ("failed", "does", "KeyError"): 1} == recording.ends()

    def test_the_exception_that_is_being_handled_is_raised_again(self, recording: TaskRecording) -> None:
        problem = OSError()
        try:
            raise problem
        except OSError:
            with pytest.raises(OSError):
                does.apply((problem,), throw=True)
        assert {("failed", "does", "OSError"): 1} == recording.ends()

    def test_within_a_run_of_the_same_task(self, recording: TaskRecording) -> None:
        @app.task(shared=False, name="shop.nests", base=Calling)
        def nests(inner: bool) -> None:
            if inner:
                raise KeyError
            app.tasks["shop.nests"].apply((True,))

        run(nests, False)
        assert {("succeeded", "nests"): 1, ("failed", "nests", "KeyError"): 1} == recording.ends()

    def test_celery_itself_fails_after_the_task(
        self, recording: TaskRecording, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(does.backend, "mark_as_done", lambda *args, **named: 1 / 0)
        with pytest.warns(RuntimeWarning, match="outside body"):
            run(does, 1)
        assert {("failed", "does", "ZeroDivisionError"): 1} == recording.ends()

    def test_a_run_is_under_way_until_it_ends(self, recording: TaskRecording) -> None:
        seen = []

        @app.task(shared=False, name="shop.looks")
        def looks() -> None:
            seen.append(recording.values(IN_FLIGHT))

        run(looks)
        assert [{("fast", "celery", "shop.looks"): 1}] == seen

    def test_success_and_loss_show_from_the_first_run(self, recording: TaskRecording) -> None:
        """As 0: `increase` does not see the step by which a series begins."""
        run(does, ValueError())
        labels = ("fast", "celery", "shop.does")
        assert {labels: 0} == recording.values("telemetry_task_succeeded_total")
        assert {labels: 0} == recording.values("telemetry_task_lost_total")

    def test_a_task_that_is_called_is_none(self, recording: TaskRecording) -> None:
        does(1)
        assert (0, 0, 0) == recording.runs()


class TestTheEndOfAProcess:
    """A process of a pool that a signal has told to end raises SystemExit in its task."""

    @pytest.fixture(autouse=True)
    def told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(common, "_should_have_exited", [True])

    def test_the_run_dies_with_it(self, recording: TaskRecording) -> None:
        with pytest.raises(SystemExit):
            run(does, SystemExit())
        assert ({}, (1, 0, 1)) == (recording.ends(), recording.runs())

    @pytest.mark.parametrize("where", ["message", "task"])
    def test_its_hard_time_limit_was_why(
        self, recording: TaskRecording, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        now = [100.0]
        monkeypatch.setattr(_recorder, "perf_counter", lambda: now[0])
        monkeypatch.setattr(_celery, "perf_counter", lambda: now[0])
        if where == "task":
            monkeypatch.setattr(does, "time_limit", 20)

        class Late(SystemExit):
            """Tells the time of its end."""

            def __init__(self) -> None:
                now[0] = 119.9

        with pytest.raises(SystemExit):
            run(does, Late, timelimit=[20, None] if where == "message" else [None, None])
        assert {("failed", "does", "billiard.exceptions.TimeLimitExceeded"): 1} == recording.ends()

    def test_a_run_ends_in_its_own_process_only(self, recording: TaskRecording) -> None:
        parent, forked = os.getpid(), []

        @app.task(shared=False, name="shop.forks")
        def forks() -> None:
            forked.append(os.fork())

        try:
            run(forks)
        finally:
            if os.getpid() != parent:
                os._exit(int(recording.runs()[1]))
        ended_by_child = os.waitstatus_to_exitcode(os.waitpid(forked[0], 0)[1])
        assert (0, (1, 1, 0)) == (ended_by_child, recording.runs())

    def test_a_run_that_ends_all_the_same_has_ended(self, recording: TaskRecording) -> None:
        run(does, 1)
        assert {("succeeded", "does"): 1} == recording.ends()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_celery, "time", lambda: NOW)


@pytest.mark.usefixtures("clock")
class TestQueueWait:
    LABELS = ("fast", "celery", "shop.does")

    def waited(self, recording: TaskRecording) -> float:
        value = recording.series(WAIT)[self.LABELS]
        assert isinstance(value, HistogramValue)
        assert 1 == value.count
        return value.sum

    @pytest.mark.parametrize(
        ("said", "waited"),
        [
            ({_celery.HEADER: NOW - 12.5}, 12.5),
            ({_celery.HEADER: int(NOW) - 12}, 12.0),
            ({_celery.HEADER: NOW - 60, "eta": "2027-01-15T07:59:50+00:00"}, 10.0),
            ({_celery.HEADER: NOW - 60, "eta": "2027-01-15T08:59:50+01:00"}, 10.0),
            ({_celery.HEADER: NOW - 60, "eta": "2027-01-15T07:59:50Z"}, 10.0),
            ({_celery.HEADER: NOW - 60, "eta": "2027-01-15T07:59:50"}, 10.0),
            ({_celery.HEADER: NOW - 60, "eta": "2027-01-15T07:00:00+00:00"}, 60.0),
            ({_celery.HEADER: NOW - 60, "eta": "2027-01-15T08:00:01+00:00"}, 0.0),
            ({_celery.HEADER: NOW + 3600}, 0.0),
            ({_celery.HEADER: 1e300}, 0.0),
        ],
    )
    def test_counts_from_when_it_was_due(self, recording: TaskRecording, said: dict[str, Any], waited: float) -> None:
        run(does, **said)
        assert waited == self.waited(recording)

    def test_a_time_without_a_zone_is_the_apps(self, recording: TaskRecording, monkeypatch: pytest.MonkeyPatch) -> None:
        zoned = an_app(timezone="Asia/Tokyo")
        task = zoned.task(shared=False, name="shop.does")(does.run)
        run(task, **{_celery.HEADER: NOW - 60, "eta": "2027-01-15T16:59:50"})
        assert 10.0 == self.waited(recording)

    @pytest.mark.parametrize(
        "forged",
        [
            None,
            "",
            "1800000000",
            b"1",
            True,
            math.nan,
            math.inf,
            -math.inf,
            -1e300,
            0,
            1.0,
            [NOW],
            {"a": NOW},
            object(),
            10**400,
        ],
        ids=lambda forged: repr(forged)[:12],
    )
    def test_what_is_no_time_of_sending_is_not_believed(self, recording: TaskRecording, forged: object) -> None:
        run(does, **{_celery.HEADER: forged})
        assert {} == recording.values(WAIT)
        assert (1, 1, 0) == recording.runs()

    @pytest.mark.parametrize("eta", ["soon", 5, "2027-13-15T07:59:50"])
    def test_with_an_eta_that_is_none_nobody_knows(self, recording: TaskRecording, eta: object) -> None:
        run(does, **{_celery.HEADER: NOW - 60, "eta": eta})
        assert ({}, (1, 1, 0)) == (recording.values(WAIT), recording.runs())

    def test_a_message_of_a_sender_without_us(self, recording: TaskRecording) -> None:
        run(does)
        assert {} == recording.values(WAIT)

    def test_is_shown_in_a_bucket(self, recording: TaskRecording) -> None:
        run(does, **{_celery.HEADER: NOW - 1800})
        run(does, **{_celery.HEADER: NOW - 86_400})
        value = recording.series(WAIT)[self.LABELS]
        assert isinstance(value, HistogramValue)
        assert ([0.0] * 16 + [1.0, 0.0, 1.0], 88_200) == (value.counts, value.sum)


@pytest.mark.usefixtures("clock")
class TestSending:
    @pytest.fixture(autouse=True)
    def empty_queue(self) -> None:
        with app.connection_for_write() as connection:
            connection.SimpleQueue("celery").clear()

    @staticmethod
    def message(queue: str = "celery") -> Any:
        """The next message of a queue."""
        with app.connection_for_read() as connection, connection.SimpleQueue(queue) as waiting:
            message = waiting.get(block=False)
            message.ack()
            return message

    def test_a_message_says_when_it_was_sent(self, recording: TaskRecording) -> None:
        does.delay(1)
        assert NOW == self.message().headers[_celery.HEADER]
        assert {("celery", "celery", "shop.does"): 1} == recording.values(SENT)

    def test_by_name_and_to_a_queue(self, recording: TaskRecording) -> None:
        app.send_task("elsewhere.does", queue="slow")
        assert NOW == self.message("slow").headers[_celery.HEADER]
        assert {("slow", "celery", "elsewhere.does"): 1} == recording.values(SENT)

    def test_a_retry_is_sent_anew(self, recording: TaskRecording) -> None:
        run(again, "LookupError", delivery_info={"routing_key": "celery", "exchange": ""}, **{_celery.HEADER: NOW - 99})
        assert NOW == self.message().headers[_celery.HEADER]
        assert {("celery", "celery", "shop.again"): 1} == recording.values(SENT)

    def test_a_retry_by_a_task_with_a_call_of_its_own_takes_nothing_else_along(self) -> None:
        run(calls, delivery_info={"routing_key": "celery", "exchange": ""})
        without = self.message().headers
        with TaskRecording() as recording:
            run(calls, delivery_info={"routing_key": "celery", "exchange": ""})
            assert {("retried", "calls", ""): 1} == recording.ends()
        assert {*without, _celery.HEADER} == {*self.message().headers}

    def test_a_delay_is_no_part_of_the_queue(self, recording: TaskRecording) -> None:
        """A broker that holds messages back finds it in front of the routing key."""
        for seconds in (1, 5, 86_400):
            key = calculate_routing_key(seconds, "slow.0.1")
            signals.after_task_publish.send("shop.does", routing_key=key)
            run(does, delivery_info={"routing_key": key})
        labels = ("slow.0.1", "celery", "shop.does")
        assert ({labels: 3}, {labels: 3}) == (recording.values(SENT), recording.values(STARTED))

    def test_the_users_own_headers_stay(self, recording: TaskRecording) -> None:
        does.apply_async(headers={"tenant": "a"})
        headers = self.message().headers
        assert ("a", NOW) == (headers["tenant"], headers[_celery.HEADER])

    def test_what_cannot_be_sent_is_not_sent(self, recording: TaskRecording) -> None:
        with pytest.raises(Exception, match="not JSON serializable"):
            does.delay(object())
        assert {} == recording.values(SENT)


class TestTheParentOfAPool:
    """Its signals, as `celery.worker.request` sends them."""

    def test_a_hard_time_limit_is_told_twice_and_counts_once(self, recording: TaskRecording) -> None:
        for task_id in ("a", "a", "b", "b"):
            signals.task_failure.send(does, task_id=task_id, exception=TimeLimitExceeded(3))
        labels = ("billiard.exceptions.TimeLimitExceeded", "celery", "shop.does")
        assert {labels: 2} == recording.values(KILLED)
        assert (0, 0, 0) == recording.runs()

    def test_killed_again_later_it_counts_again(
        self, recording: TaskRecording, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for at in (100.0, 100.2, 130.0, 130.2):
            monkeypatch.setattr(_celery, "perf_counter", lambda at=at: at)
            signals.task_failure.send(does, task_id="a", exception=TimeLimitExceeded(3))
        assert {("billiard.exceptions.TimeLimitExceeded", "celery", "shop.does"): 2} == recording.values(KILLED)

    def test_a_process_found_dead(self, recording: TaskRecording) -> None:
        signals.task_failure.send(does, task_id="a", exception=WorkerLostError("signal 9"))
        assert {("billiard.exceptions.WorkerLostError", "celery", "shop.does"): 1} == recording.values(KILLED)

    def test_another_failure_is_the_runs_own_to_tell(self, recording: TaskRecording) -> None:
        signals.task_failure.send(does, task_id="a", exception=ValueError())
        assert {} == recording.values(KILLED)

    @pytest.mark.parametrize(
        ("said", "reason"),
        [
            ({"terminated": False, "expired": True}, "expired"),
            ({"terminated": False, "expired": False}, "revoked"),
            ({"terminated": True, "expired": False, "signum": 15}, "terminated"),
        ],
    )
    def test_what_was_revoked(self, recording: TaskRecording, said: dict[str, Any], reason: str) -> None:
        request = Context({"delivery_info": {"routing_key": "fast"}})
        signals.task_revoked.send(does, request=request, **said)
        assert {("fast", reason, "celery", "shop.does"): 1} == recording.values(REVOKED)

    def test_messages_that_are_no_tasks(self, recording: TaskRecording) -> None:
        signals.task_unknown.send(object(), message=None, exc=KeyError(), name="x" * 10_000, id="a")
        signals.task_rejected.send(object(), message=None, exc=None)
        assert {("unknown", "celery"): 1, ("invalid", "celery"): 1} == recording.values(REFUSED)


class _Loud(Exception):
    """Whatever is asked of it fails."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


class _Disguised(Exception):
    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            raise RuntimeError
        return super().__getattribute__(name)


class _Meta(type):
    def __getattribute__(cls, name: str) -> Any:
        if name == "__module__":
            raise RuntimeError
        return super().__getattribute__(name)


class _Nameless(Exception, metaclass=_Meta):
    pass


_Long = type("x" * 10_000, (Exception,), {"__module__": "y"})


class TestHostile:
    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            (_Loud, f"{__name__}._Loud"),
            (_Disguised, f"{__name__}._Disguised"),
            (_Nameless, "<unnamed>"),
            (_Long, f"y.{'x' * 254}"),
        ],
        ids=["loud", "disguised", "nameless", "long"],
    )
    def test_exceptions(self, recording: TaskRecording, kind: type[Exception], name: str) -> None:
        with contextlib.suppress(Exception):  # not pytest.raises, which could not bear to look at them
            does.apply((kind(),), throw=True)
        assert ({("failed", "does", name): 1}, (1, 1, 0)) == (recording.ends(), recording.runs())

    def test_names_of_tasks_and_queues(self, recording: TaskRecording) -> None:
        for name in ("x" * 10_000, 'quo"te\n', "\ud800", " "):
            task = app.task(shared=False, name=name)(does.run)
            run(task, delivery_info={"routing_key": name})
        shown = {(labels[0], labels[2]) for labels in recording.values(STARTED)}
        assert {("x" * 256,) * 2, ('quo"te\n',) * 2, ("?",) * 2, (" ",) * 2} == shown

    @pytest.mark.parametrize("delivery", [None, {}, "text", {"routing_key": None}, {"routing_key": ["a"]}, 5], ids=repr)
    def test_no_queue_is_known(self, recording: TaskRecording, delivery: Any) -> None:
        with in_request(delivery_info=delivery):
            signals.task_prerun.send(does, task_id="a", task=does)
        assert {("", "celery", "shop.does"): 1} == recording.values(STARTED)

    def test_more_tasks_than_the_limit(self) -> None:
        with TaskRecording(limit=2) as recording:
            for number in range(5):
                run(app.task(shared=False, name=f"shop.task{number}")(does.run))
            values = {labels[2]: value for labels, value in recording.values(STARTED).items()}
            assert {"shop.task0": 1, "shop.task1": 1, "__overflow__": 3} == values
            assert {("tasks.task",): 3} == recording.values("telemetry_series_overflow_total")

    def test_more_tasks_in_queues_than_the_limit(self) -> None:
        with TaskRecording(limit=2) as recording:
            for name in ("shop.task0", "shop.task1"):
                task = app.task(shared=False, name=name)(does.run)
                for queue in ("a", "b", "a"):
                    run(task, delivery_info={"routing_key": queue})
            values = {(labels[2], labels[0]): value for labels, value in recording.values(STARTED).items()}
            expected = {("shop.task0", "a"): 2, ("shop.task0", "b"): 1, ("shop.task1", "__overflow__"): 3}
            assert expected == values
            assert {("tasks.queue",): 3} == recording.values("telemetry_series_overflow_total")

    @pytest.mark.parametrize("broken", ["add", "observe"])
    def test_a_store_that_fails_fails_no_task(
        self, monkeypatch: pytest.MonkeyPatch, broken: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        kept = []

        @app.task(shared=False, name=f"shop.store_away.{broken}")
        def store_away(what: int) -> None:
            kept.append(what)

        def fail(*args: Any, **named: Any) -> None:
            raise OSError("the disk is on fire")

        with TaskRecording() as recording:
            with monkeypatch.context() as patch:
                patch.setattr(Table, broken, fail)
                assert 5 == does.apply((5,)).get()
                run(store_away, 5, **{_celery.HEADER: NOW})
                does.delay(1)
            assert [5] == kept
            run(does, 5)
            assert {("succeeded", "does"): 1} == recording.ends()
        assert "on fire" not in caplog.text

    def test_hooks_that_fail(self) -> None:
        with TaskRecording() as recording:
            recording.tasks.running = lambda: 1 / 0  # type: ignore[assignment]
            recording.tasks.ending = lambda: 1 / 0  # type: ignore[assignment]
            run(does, 5)
            signals.worker_process_shutdown.send(None, pid=1, exitcode=0)
            assert {("succeeded", "does"): 1} == recording.ends()
            assert [("tasks.celery.prerun",), ("tasks.celery.shutdown",)] == recording.dropped()


class TestExemplars:
    def test_a_sampled_runs_trace(self, recording: TaskRecording) -> None:
        with TracerProvider().get_tracer("test").start_as_current_span("run") as span:
            run(does)
        run(does)
        value = recording.series(DURATION)["succeeded", "celery", "shop.does"]
        assert isinstance(value, HistogramValue)
        (exemplar,) = value.exemplars.values()
        assert (2, span.get_span_context().trace_id) == (value.count, exemplar.trace_id)

    @pytest.mark.parametrize("first", [True, False], ids=["ours", "theirs"])
    def test_whoever_is_told_first(self, recording: TaskRecording, first: bool) -> None:
        """The span of a run is made and ended by receivers of the same signals."""
        scope = trace.use_span(TracerProvider().get_tracer("test").start_span("run"), end_on_exit=True)
        theirs = {
            signals.task_prerun: lambda **_: scope.__enter__(),
            signals.task_postrun: lambda **_: scope.__exit__(None, None, None),
        }
        recording.tasks.uninstall()
        if first:
            recording.tasks.install()
        for signal, receiver in theirs.items():
            signal.connect(receiver, weak=False, dispatch_uid="tests")
        recording.tasks.install()
        try:
            run(does)
        finally:
            for signal in theirs:
                signal.disconnect(dispatch_uid="tests")
        value = recording.series(DURATION)["succeeded", "celery", "shop.does"]
        assert isinstance(value, HistogramValue)
        assert 1 == len(value.exemplars)


class TestInstallation:
    def test_uninstalled_it_records_nothing(self, recording: TaskRecording) -> None:
        recording.tasks.uninstall()
        run(does)
        does.delay()
        assert ((0, 0, 0), {}) == (recording.runs(), recording.values(SENT))
        recording.tasks.install()
        recording.tasks.install()
        run(does)
        assert (1, 1, 0) == recording.runs()

    def test_only_a_worker_that_begins_a_run_is_told_so(self, recording: TaskRecording) -> None:
        begun: list[None] = []
        recording.tasks.running = lambda: begun.append(None)
        does.apply()
        assert 0 == len(begun)
        run(does)
        assert 1 == len(begun)

    def test_a_worker_is_told_so_whatever_becomes_of_the_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*args: Any) -> None:
            raise OSError

        begun: list[None] = []
        with TaskRecording() as recording:
            recording.tasks.running = lambda: begun.append(None)
            monkeypatch.setattr(_recorder.TaskRecorder, "waited", fail)
            run(does, **{_celery.HEADER: NOW})
            assert ([None], [("tasks.celery.prerun",)]) == (begun, recording.dropped())

    def test_only_a_process_that_has_run_something_is_told_of_its_end(self, recording: TaskRecording) -> None:
        ends: list[None] = []
        recording.tasks.ending = lambda: ends.append(None)
        signals.worker_process_shutdown.send(None, pid=1, exitcode=0)
        assert 0 == len(ends)
        run(does)
        signals.worker_process_shutdown.send(None, pid=1, exitcode=0)
        assert 1 == len(ends)

    def test_several_record_each_for_itself(self, recording: TaskRecording) -> None:
        with TaskRecording(MemoryStore()) as other:
            run(does)
            assert (1, 1, 0) == other.runs()
        run(does)
        assert ((2, 2, 0), (1, 1, 0)) == (recording.runs(), other.runs())

    def test_a_start_imports_no_celery_and_celery_may_come_later(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", _LATER], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
        )
        assert ("[] 1.0 1.0\n", "") == (done.stdout, done.stderr)


_LATER = """
import sys
from django.conf import settings
settings.configure(INSTALLED_APPS=["telemetry"], TELEMETRY_STORE_DIR=None)
import django
django.setup()
print([name for name in sys.modules if name.partition(".")[0] in ("celery", "kombu", "billiard")], end=" ")

from celery import Celery
app = Celery("later", broker="memory://")

@app.task
def late(): pass

late.apply()
late.delay()
from telemetry import runtime
shown = {found.family.name: found.series for found in runtime.get().families()}
print(shown["telemetry_task_succeeded_total"][0][1], shown["telemetry_task_sent_total"][0][1])
"""
