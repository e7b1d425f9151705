"""Which view is slow, which fails, which is busy?"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from telemetry.generate.dashboards._panels import board, lines, quantile, rate, share, variable

_RESPONSES = "django_http_responses_total_by_status_view_method_total"
_LATENCY = "django_http_requests_latency_seconds_by_view_method"
_CHOSEN = 'view=~"$view"'


def build() -> Dashboard:
    """Requests, failures and durations of the chosen views."""
    return (
        board("views", "Upstream / Requests by view", "Rates, failures and durations of the chosen views.")
        .with_variable(variable("view", _RESPONSES))
        .with_panel(
            lines("Responses", "A second.", "reqps", (rate(_RESPONSES, "view", where=_CHOSEN), "{{view}}")),
        )
        .with_panel(
            lines(
                "Failing",
                "Share of 5xx answers.",
                "percentunit",
                (share(_RESPONSES, _RESPONSES, "view", where=_CHOSEN, part_where='status=~"5.."'), "{{view}}"),
            )
        )
        .with_panel(
            lines(
                "Median duration",
                "Half of the requests are faster.",
                "s",
                (quantile(0.5, _LATENCY, "view", where=_CHOSEN), "{{view}}"),
            )
        )
        .with_panel(
            lines(
                "p95 duration",
                "95 of 100 requests are faster.",
                "s",
                (quantile(0.95, _LATENCY, "view", where=_CHOSEN), "{{view}}"),
            )
        )
        .with_panel(
            lines(
                "Client errors",
                "4xx answers a second.",
                "reqps",
                (
                    rate(_RESPONSES, "view", "status", where=f'{_CHOSEN}, status=~"4.."'),
                    "{{view}} {{status}}",
                ),
            )
        )
        .with_panel(
            lines(
                "Exceptions",
                "Raised out of a view.",
                "cps",
                (rate("django_http_exceptions_total_by_view_total", "view", where=_CHOSEN), "{{view}}"),
            )
        )
        .with_panel(
            lines(
                "Time spent",
                "Seconds of work a second: where speed pays.",
                "short",
                (rate(f"{_LATENCY}_sum", "view", where=_CHOSEN), "{{view}}"),
                width=24,
            )
        )
    )
