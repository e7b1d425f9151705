"""Is the service well? Its requests, its processes, and the layer that counts them."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from telemetry.generate.dashboards._panels import JOB, board, lines, number, quantile, rate, share, total

_STATUS = "django_http_responses_total_by_status_total"
_LATENCY = "django_http_requests_latency_including_middlewares_seconds"


def build() -> Dashboard:
    """Rate, errors, durations; processes; the store."""
    return (
        board("service", "Upstream / Service", "Requests, errors, durations, processes, and the telemetry itself.")
        .with_panel(
            number("Up", "Instances that Prometheus reaches.", "short", f"sum(up{{{JOB}}})"),
        )
        .with_panel(
            number("Requests", "Requests a second.", "reqps", rate("django_http_requests_before_middlewares_total")),
        )
        .with_panel(
            number(
                "Failing", "Share of 5xx answers.", "percentunit", share(_STATUS, _STATUS, part_where='status=~"5.."')
            ),
        )
        .with_panel(number("p95", "95 of 100 requests are faster.", "s", quantile(0.95, _LATENCY)))
        .with_panel(
            number("In flight", "Requests being answered now.", "short", total("http_server_active_requests")),
        )
        .with_panel(
            number("Processes", "Living processes that record.", "short", total("telemetry_store_segments")),
        )
        .with_row(Row("Requests"))
        .with_panel(
            lines(
                "Requests by method",
                "What comes in, before any middleware.",
                "reqps",
                (rate("django_http_requests_total_by_method_total", "method"), "{{method}}"),
            )
        )
        .with_panel(
            lines("Responses by status", "What goes out.", "reqps", (rate(_STATUS, "status"), "{{status}}")),
        )
        .with_panel(
            lines(
                "Duration",
                "All middlewares included.",
                "s",
                *((quantile(part, _LATENCY), f"p{part * 100:g}") for part in (0.5, 0.95, 0.99)),
            )
        )
        .with_panel(
            lines(
                "Exceptions by type",
                "Raised out of a view.",
                "cps",
                (rate("django_http_exceptions_total_by_type_total", "type"), "{{type}}"),
            )
        )
        .with_row(Row("Processes"))
        .with_panel(lines("CPU", "Cores in use, all processes.", "short", (rate("process_cpu_seconds_total"), "cores")))
        .with_panel(
            lines("Memory", "Resident, all processes.", "bytes", (total("process_resident_memory_bytes"), "resident"))
        )
        .with_row(Row("Telemetry"))
        .with_panel(
            lines(
                "Lost",
                "Measurements lost to failures or a full store, or unfit to be recorded; requests cut off by a death.",
                "cps",
                (rate("telemetry_dropped_total", "reason"), "dropped: {{reason}}"),
                (rate("telemetry_store_lost_total"), "no room"),
                (rate("telemetry_measurements_dropped_total", "family"), "unfit: {{family}}"),
                (rate("telemetry_http_requests_lost_total"), "requests cut off"),
                (rate("telemetry_series_overflow_total", "stream"), "overflow: {{stream}}"),
            )
        )
        .with_panel(
            lines(
                "Store",
                "Anything but 0 wants a look at the log.",
                "short",
                (total("telemetry_store_degraded"), "degraded"),
                (total("telemetry_store_corrupt_files"), "damaged files"),
                (total("telemetry_store_layout_conflicts"), "layout conflicts"),
            )
        )
    )
