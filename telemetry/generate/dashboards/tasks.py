"""Do the background tasks run: how many, how long, how long they wait before, and which do not come to their end?"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from telemetry.generate.dashboards._panels import (
    board,
    last_hour,
    lines,
    number,
    quantile,
    rate,
    share,
    total,
    variable,
)

_CHOSEN = 'task=~"$task"'
_STARTED = "telemetry_task_started_total"
_DURATION = "telemetry_task_duration_seconds"
_WAIT = "telemetry_task_queue_wait_seconds"
_LOST = "telemetry_task_lost_total"


def build() -> Dashboard:
    """Rate, errors, durations, waits; then each by task or queue; then what is rare."""
    failed = share(f"{_DURATION}_count", f"{_DURATION}_count", where=_CHOSEN, part_where='outcome="failed"')
    return (
        board("tasks", "Upstream / Tasks", "Runs of background tasks, how they end, and how long they wait before.")
        .with_variable(variable("task", _STARTED))
        .with_panel(number("Runs", "A second.", "ops", rate(_STARTED, where=_CHOSEN)))
        .with_panel(number("Failing", "Share of the runs that an exception ends.", "percentunit", failed))
        .with_panel(number("p95", "95 of 100 runs are faster.", "s", quantile(0.95, _DURATION, where=_CHOSEN)))
        .with_panel(
            number(
                "p95 of the wait",
                "95 of 100 begin sooner after they were due.",
                "s",
                quantile(0.95, _WAIT, where=_CHOSEN),
            ),
        )
        .with_panel(
            number("In flight", "Runs that are under way.", "short", total("telemetry_tasks_in_flight", where=_CHOSEN)),
        )
        .with_panel(
            number("Lost", "In an hour, with their process.", "short", last_hour(_LOST, where=_CHOSEN)),
        )
        .with_row(Row("Runs"))
        .with_panel(lines("Runs by task", "Begun.", "ops", (rate(_STARTED, "task", where=_CHOSEN), "{{task}}")))
        .with_panel(
            lines(
                "Runs by outcome",
                "Ended. A run that is retried is one that asks for another.",
                "ops",
                (rate(f"{_DURATION}_count", "outcome", where=_CHOSEN), "{{outcome}}"),
            )
        )
        .with_panel(
            lines(
                "p95 by task",
                "95 of 100 runs are faster.",
                "s",
                (quantile(0.95, _DURATION, "task", where=_CHOSEN), "{{task}}"),
            )
        )
        .with_panel(
            lines(
                "Busy",
                "Runs under way on average, by task.",
                "short",
                (rate(f"{_DURATION}_sum", "task", where=_CHOSEN), "{{task}}"),
            )
        )
        .with_row(Row("Queues"))
        .with_panel(
            lines(
                "Wait by queue",
                "From when a task was due until its run began.",
                "s",
                *(
                    (quantile(part, _WAIT, "queue", where=_CHOSEN), f"{{{{queue}}}} p{part * 100:g}")
                    for part in (0.5, 0.95)
                ),
            )
        )
        .with_panel(
            lines(
                "Sent and started",
                "Where more are sent than started for long, the queue grows.",
                "ops",
                (rate("telemetry_task_sent_total", "queue", where=_CHOSEN), "{{queue}} sent"),
                (rate(_STARTED, "queue", where=_CHOSEN), "{{queue}} started"),
            )
        )
        .with_row(Row("What does not come to its end, in an hour"))
        .with_panel(
            lines(
                "Failures",
                "By the exception that ended the run.",
                "short",
                (
                    last_hour("telemetry_task_failed_total", "task", "exception", where=_CHOSEN),
                    "{{task}} {{exception}}",
                ),
            )
        )
        .with_panel(
            lines(
                "Retries",
                "By the exception because of which the run asked for another.",
                "short",
                (
                    last_hour("telemetry_task_retried_total", "task", "exception", where=_CHOSEN),
                    "{{task}} {{exception}}",
                ),
            )
        )
        .with_panel(
            lines(
                "Lost and killed",
                "Runs that died with their process, and what the worker tells of such processes.",
                "short",
                (last_hour(_LOST, "task", where=_CHOSEN), "{{task}} lost"),
                (
                    last_hour("telemetry_task_killed_total", "task", "exception", where=_CHOSEN),
                    "{{task}} {{exception}}",
                ),
            )
        )
        .with_panel(
            lines(
                "Not run",
                "Revoked, expired or terminated.",
                "short",
                (last_hour("telemetry_task_revoked_total", "task", "reason", where=_CHOSEN), "{{task}} {{reason}}"),
            )
        )
    )
