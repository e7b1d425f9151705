"""Tasks: the records that runs of background tasks leave, and the families derived from them.

OpenTelemetry's conventions for messaging are not stable, and know messages, not runs; the names are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.catalogue.exemplars import exemplars, sampled
from telemetry.spec import Family, FamilyType, Kind, Layout, Part, Projection, Source, Take

CELERY, DJANGO = "celery", "django"
"""The values of `system`: Celery, and Django's own tasks framework (`django.tasks`)."""

SUCCEEDED, FAILED, RETRIED, IGNORED, REJECTED = "succeeded", "failed", "retried", "ignored", "rejected"
OUTCOMES = SUCCEEDED, FAILED, RETRIED, IGNORED, REJECTED
"""How a run ends by itself: exactly one of these."""

REVOKED, EXPIRED, TERMINATED = "revoked", "expired", "terminated"
UNKNOWN, INVALID = "unknown", "invalid"

SECONDS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
    *(120.0, 300.0, 600.0, 1800.0, 3600.0),
)
"""Seconds, up to an hour: both of a run and of the wait before it."""

_TASK = ("system", "task", "queue")


@dataclass(frozen=True, slots=True)
class TaskCatalogue:
    """The records of tasks, and every family that is derived from them.

    - `sent`: a message or row that asks for a run has been handed to the broker or backend.
    - `begun`: a run has begun.
    - `waited`: at that moment, since when it was due; not of runs that nobody queued.
    - `done`: a run has ended by itself, with its clock; `exception` is empty where none was raised.
    - `done_sampled`: of these those with a sampled span, for their exemplars.
    - `killed`: the parent of a pool has reported a run whose process it killed, or found dead.
    - `revoked`: a worker did not run, or stopped, what was revoked or came too late.
    - `refused`: a worker could make no task of a message.
    """

    sent: Layout
    begun: Layout
    waited: Layout
    done: Layout
    done_sampled: Layout
    killed: Layout
    revoked: Layout
    refused: Layout
    projections: tuple[Projection, ...]


def task_catalogue() -> TaskCatalogue:
    """The catalogue of tasks."""
    sent = Layout("tasks.sent", Kind.SUM, _TASK)
    begun = Layout("tasks.begun", Kind.SUM, _TASK)
    waited = Layout("tasks.waited", Kind.HISTOGRAM, _TASK, SECONDS)
    done = Layout("tasks.done", Kind.HISTOGRAM, (*_TASK, "outcome", "exception"), SECONDS)
    done_sampled = sampled(done, ("system", "task", "outcome"))
    killed = Layout("tasks.killed", Kind.SUM, ("system", "task", "exception"))
    revoked = Layout("tasks.revoked", Kind.SUM, (*_TASK, "reason"))
    refused = Layout("tasks.refused", Kind.SUM, ("system", "reason"))

    def ended(outcome: str) -> Source:
        return Source(done, Take.COUNT, where={"outcome": frozenset({outcome})})

    def unended(part: Part) -> tuple[Source, ...]:
        return Source(begun, part=part), Source(done, Take.COUNT, sign=-1, part=part)

    # A series that begins with its first event hides that from `rate` and `increase`.
    from_the_first_run = Source(begun, sign=0)
    failure = (*_TASK, "exception")
    projections = (
        _counter("telemetry_task_sent_total", "Tasks handed to a broker or backend.", _TASK, Source(sent)),
        _counter("telemetry_task_started_total", "Runs of tasks that have begun.", _TASK, Source(begun)),
        _counter(
            "telemetry_task_succeeded_total",
            "Runs that ended without an exception.",
            _TASK,
            ended(SUCCEEDED),
            from_the_first_run,
        ),
        _counter("telemetry_task_failed_total", "Runs that an exception ended.", failure, ended(FAILED)),
        _counter("telemetry_task_retried_total", "Runs that asked for another one.", failure, ended(RETRIED)),
        _counter(
            "telemetry_task_ignored_total",
            "Runs that raised Ignore, as those do that another task replaces.",
            _TASK,
            ended(IGNORED),
        ),
        _counter("telemetry_task_rejected_total", "Runs that raised Reject.", _TASK, ended(REJECTED)),
        Projection(
            Family(
                "telemetry_task_lost_total",
                FamilyType.COUNTER,
                "Runs that had begun and not ended when their process died.",
                _TASK,
            ),
            (*unended(Part.GONE), from_the_first_run),
            floor=0.0,
        ),
        Projection(
            Family(
                "telemetry_tasks_in_flight", FamilyType.GAUGE, "Runs that are under way, over all processes.", _TASK
            ),
            unended(Part.LIVING),
            floor=0.0,
        ),
        Projection(
            Family(
                "telemetry_task_duration_seconds",
                FamilyType.HISTOGRAM,
                "Duration of runs, by how they ended.",
                ("system", "task", "outcome"),
                SECONDS,
            ),
            (Source(done), exemplars(done_sampled)),
        ),
        Projection(
            Family(
                "telemetry_task_queue_wait_seconds",
                FamilyType.HISTOGRAM,
                "Time from when a task was due (sent, or its ETA) until its run began.",
                _TASK,
                SECONDS,
            ),
            (Source(waited),),
        ),
        _counter(
            "telemetry_task_killed_total",
            "Runs whose process their worker reported as killed by a time limit, or as found dead.",
            ("system", "task", "exception"),
            Source(killed),
        ),
        _counter(
            "telemetry_task_revoked_total",
            "Tasks not run because they were revoked or had expired, and runs terminated.",
            (*_TASK, "reason"),
            Source(revoked),
        ),
        _counter(
            "telemetry_task_refused_total",
            "Messages of which a worker could make no task: unknown by name, or invalid.",
            ("system", "reason"),
            Source(refused),
        ),
    )
    return TaskCatalogue(sent, begun, waited, done, done_sampled, killed, revoked, refused, projections)


def _counter(name: str, text: str, labels: tuple[str, ...], *sources: Source) -> Projection:
    return Projection(Family(name, FamilyType.COUNTER, text, labels), sources)
