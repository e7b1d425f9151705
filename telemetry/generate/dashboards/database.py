"""What is asked of the databases, and how well do they answer?"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from telemetry.generate.dashboards._panels import board, lines, number, quantile, rate, variable

_DURATION = "django_db_query_duration_seconds"
_OPERATION = "db_client_operation_duration_seconds"
_CHOSEN = 'alias=~"$alias"'


def build() -> Dashboard:
    """Statements by type, durations, errors and connections of the chosen aliases."""
    return (
        board("database", "Upstream / Database", "Statements by type, durations, errors and connections.")
        .with_variable(variable("alias", f"{_DURATION}_count"))
        .with_panel(
            number("Statements", "A second.", "ops", rate("django_db_execute_total", where=_CHOSEN), width=6),
        )
        .with_panel(
            number("p95", "95 of 100 are faster.", "s", quantile(0.95, _DURATION, where=_CHOSEN), width=6),
        )
        .with_panel(
            number(
                "For each request",
                "Statements a request; a climb is often an N+1.",
                "short",
                f"{rate('django_db_execute_total', where=_CHOSEN)}"
                f" / {rate('django_http_requests_before_middlewares_total')}",
                width=6,
            )
        )
        .with_panel(
            number(
                "New connections",
                "A second; near the rate of requests where none are kept.",
                "ops",
                rate("django_db_new_connections_total", where=_CHOSEN),
                width=6,
            )
        )
        .with_panel(
            lines(
                "Statements by type",
                "The first word of each.",
                "ops",
                (rate(f"{_OPERATION}_count", "db_operation_name", where=_CHOSEN), "{{db_operation_name}}"),
            )
        )
        .with_panel(
            lines(
                "p95 by type",
                "95 of 100 are faster.",
                "s",
                (quantile(0.95, _OPERATION, "db_operation_name", where=_CHOSEN), "{{db_operation_name}}"),
            )
        )
        .with_panel(
            lines(
                "Duration",
                "Of calls of execute and executemany.",
                "s",
                *(
                    (quantile(part, _DURATION, "alias", where=_CHOSEN), f"{{{{alias}}}} p{part * 100:g}")
                    for part in (0.5, 0.95, 0.99)
                ),
            )
        )
        .with_panel(
            lines(
                "Busy",
                "Statements under way on average.",
                "short",
                (rate(f"{_DURATION}_sum", "alias", where=_CHOSEN), "{{alias}}"),
            )
        )
        .with_panel(
            lines(
                "Errors",
                "By the exception of the driver.",
                "cps",
                (rate("django_db_errors_total", "alias", "type", where=_CHOSEN), "{{alias}} {{type}}"),
            )
        )
        .with_panel(
            lines(
                "Connections",
                "Made, and failed.",
                "cps",
                (rate("django_db_new_connections_total", "alias", where=_CHOSEN), "{{alias}} made"),
                (rate("django_db_new_connection_errors_total", "alias", where=_CHOSEN), "{{alias}} failed"),
            )
        )
        .with_panel(
            lines(
                "Bulk rows",
                "Parameter sets given to executemany.",
                "ops",
                (rate("django_db_execute_many_total", "alias", where=_CHOSEN), "{{alias}}"),
                width=24,
            )
        )
    )
