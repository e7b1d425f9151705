"""Runs of the tasks of Django's own framework. Collected only where the Django in use has it."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.tasks import TaskResult, TaskResultStatus, signals, task
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.backends.immediate import ImmediateBackend
from django.tasks.base import TaskError
from django.test import override_settings

from telemetry.instrumentation.tasks import _django
from telemetry.samples import HistogramValue
from telemetry.store import Table
from telemetry.tests.instrumentation.task_recording import DURATION, IN_FLIGHT, SENT, STARTED, WAIT, TaskRecording
from telemetry.tests.servers.harness import CHECKOUT

NOW = datetime.datetime(2027, 1, 15, 8, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


@pytest.fixture(autouse=True)
def immediately() -> Iterator[None]:
    tasks = {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend", "QUEUES": ["default", "slow"]}}
    with override_settings(TASKS=tasks):
        yield


@pytest.fixture
def recording() -> Iterator[TaskRecording]:
    with TaskRecording() as recording:
        yield recording
        assert [] == recording.dropped()


@task
def succeed() -> int:
    return 1


@task
def fail() -> None:
    raise ValueError("private")


@task
def leave() -> None:
    raise SystemExit


@task
def interrupted() -> None:
    raise KeyboardInterrupt


@task
async def asleep() -> None:
    raise subprocess.TimeoutExpired("x", 1)


def name(of: Any) -> str:
    return f"{__name__}.{of.func.__name__}"


class TestImmediately:
    @pytest.mark.parametrize(
        ("what", "end"),
        [
            (succeed, ("succeeded", "succeed")),
            (fail, ("failed", "fail", "ValueError")),
            (leave, ("failed", "leave", "SystemExit")),
            (asleep, ("failed", "asleep", "subprocess.TimeoutExpired")),
        ],
        ids=["succeed", "fail", "leave", "asleep"],
    )
    def test_each_run_is_sent_begins_and_ends_once(
        self, recording: TaskRecording, what: Any, end: tuple[str, ...]
    ) -> None:
        what.enqueue()
        labels = ("default", "django", name(what))
        assert ({labels: 1}, {labels: 1}) == (recording.values(SENT), recording.values(STARTED))
        assert {(end[0], "django", name(what)): 1} == recording.values(DURATION)
        assert ({end: 1}, (1, 1, 0)) == (recording.ends(), recording.runs())

    def test_in_another_queue(self, recording: TaskRecording) -> None:
        succeed.using(queue_name="slow").enqueue()
        assert {("slow", "django", name(succeed)): 1} == recording.values(STARTED) == recording.values(SENT)

    def test_nobody_has_waited(self, recording: TaskRecording) -> None:
        succeed.enqueue()
        assert {} == recording.values(WAIT)

    def test_an_interrupted_run_does_not_end(self, recording: TaskRecording) -> None:
        with pytest.raises(KeyboardInterrupt):
            interrupted.enqueue()
        assert {("default", "django", name(interrupted)): 1} == recording.values(IN_FLIGHT)

    def test_a_run_is_counted_as_django_says_it_went(self, recording: TaskRecording) -> None:
        """Against Django's own results."""
        statuses = [what.enqueue().status for what in (succeed, fail, succeed, leave, succeed)]
        ended = recording.ends()
        for status, outcome in ((TaskResultStatus.SUCCESSFUL, "succeeded"), (TaskResultStatus.FAILED, "failed")):
            assert statuses.count(status) == sum(value for end, value in ended.items() if end[0] == outcome)


class Elsewhere(BaseTaskBackend):
    """A backend whose tasks a worker runs, as those of other packages do."""

    supports_defer = True

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        raise NotImplementedError


def result(of: Any = succeed, **further: Any) -> Any:
    """What a worker has fetched of a task."""
    given: dict[str, Any] = {
        "task": of,
        "id": "one",
        "status": TaskResultStatus.RUNNING,
        "enqueued_at": NOW,
        "started_at": NOW,
        "finished_at": None,
        "last_attempted_at": NOW,
        "args": [],
        "kwargs": {},
        "backend": "default",
        "errors": [],
        "worker_ids": ["worker"],
    }
    return TaskResult(**given | further)


class TestInAWorker:
    LABELS = ("default", "django", f"{__name__}.succeed")

    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_django, "time", lambda: (NOW + 90 * SECOND).timestamp())

    def waited(self, recording: TaskRecording) -> tuple[float, float]:
        value = recording.series(WAIT)[self.LABELS]
        assert isinstance(value, HistogramValue)
        return value.count, value.sum

    @pytest.mark.parametrize(("seconds", "waited"), [(0, 90.0), (60, 30.0), (90, 0.0), (3600, 0.0)])
    def test_waits_from_when_it_was_due(self, recording: TaskRecording, seconds: int, waited: float) -> None:
        with override_settings(TASKS={"default": {"BACKEND": f"{__name__}.Elsewhere"}}):
            deferred = succeed.using(run_after=NOW + seconds * SECOND)
            signals.task_started.send(Elsewhere, task_result=result(deferred))
        assert (1, waited) == self.waited(recording)

    def test_without_a_delay_from_when_it_was_enqueued(self, recording: TaskRecording) -> None:
        signals.task_started.send(Elsewhere, task_result=result())
        assert (1, 90.0) == self.waited(recording)

    @pytest.mark.parametrize("further", [{"worker_ids": ["one", "two"]}, {"enqueued_at": None}])
    def test_of_what_is_tried_again_nobody_knows(self, recording: TaskRecording, further: dict[str, Any]) -> None:
        signals.task_started.send(Elsewhere, task_result=result(**further))
        assert ({}, (1, 0, 1)) == (recording.values(WAIT), recording.runs())

    @pytest.mark.parametrize(
        ("status", "errors", "end"),
        [
            (TaskResultStatus.SUCCESSFUL, [], ("succeeded", "succeed")),
            (TaskResultStatus.FAILED, ["builtins.OSError", "a.b.Down"], ("failed", "succeed", "a.b.Down")),
            (TaskResultStatus.FAILED, [], ("failed", "succeed", "")),
            (TaskResultStatus.READY, ["builtins.OSError"], ("retried", "succeed", "OSError")),
        ],
    )
    def test_ends_in_another_result_of_the_same_id(
        self, recording: TaskRecording, status: Any, errors: list[str], end: tuple[str, ...]
    ) -> None:
        signals.task_started.send(Elsewhere, task_result=result())
        told = [TaskError(exception_class_path=path, traceback="private") for path in errors]
        signals.task_finished.send(Elsewhere, task_result=result(status=status, errors=told))
        assert ({end: 1}, (1, 1, 0)) == (recording.ends(), recording.runs())

    def test_ends_in_its_own_process_only(self, recording: TaskRecording) -> None:
        signals.task_started.send(Elsewhere, task_result=result())
        child = os.fork()
        try:
            signals.task_finished.send(Elsewhere, task_result=result(status=TaskResultStatus.SUCCESSFUL))
        finally:
            if not child:
                os._exit(int(recording.runs()[1]))
        ended_by_child = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert (0, (1, 1, 0)) == (ended_by_child, recording.runs())

    def test_an_end_without_a_beginning_is_none(self, recording: TaskRecording) -> None:
        signals.task_finished.send(Elsewhere, task_result=result(status=TaskResultStatus.SUCCESSFUL))
        assert (0, 0, 0) == recording.runs()

    def test_ends_that_nobody_tells_take_no_memory(
        self, recording: TaskRecording, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_django, "_MOST", 3)
        for number in range(10):
            signals.task_started.send(Elsewhere, task_result=result(id=str(number)))
        watching = recording.tasks._django
        assert watching is not None
        assert ["7", "8", "9"] == list(watching._runs)


class TestInstallation:
    @pytest.mark.parametrize("broken", ["add", "observe"])
    def test_a_store_that_fails_fails_no_task(self, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
        def fail(*args: Any, **named: Any) -> None:
            raise OSError("the disk is on fire")

        with TaskRecording() as recording:
            with monkeypatch.context() as patch:
                patch.setattr(Table, broken, fail)
                assert 1 == succeed.enqueue().return_value
            succeed.enqueue()
            assert {("succeeded", "succeed"): 1} == recording.ends()

    def test_results_that_are_none(self) -> None:
        with TaskRecording() as recording:
            for signal in (signals.task_enqueued, signals.task_started, signals.task_finished):
                signal.send_robust(None, task_result=None)  # Django's own receivers cannot bear it
                signal.send_robust(ImmediateBackend)
            places = {f"tasks.django.{what}" for what in ("enqueued", "started", "finished")}
            assert places == {place for (place,) in recording.dropped()}

    def test_uninstalled_it_records_nothing(self, recording: TaskRecording) -> None:
        recording.tasks.uninstall()
        succeed.enqueue()
        assert ((0, 0, 0), {}) == (recording.runs(), recording.values(SENT))

    def test_it_may_be_imported_after_the_start(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", _LATER], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
        )
        assert ("1.0 1.0\n", "") == (done.stdout, done.stderr)


_LATER = """
from django.conf import settings
settings.configure(INSTALLED_APPS=["telemetry"])
import django
django.setup()
from django.tasks import task
from django.utils import timezone
from telemetry import runtime

task(timezone.get_current_timezone_name).enqueue()
shown = {found.family.name: found.series for found in runtime.get().families()}
print(shown["telemetry_task_succeeded_total"][0][1], shown["telemetry_task_sent_total"][0][1])
"""
