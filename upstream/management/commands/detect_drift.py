"""`manage.py detect_drift --customer CODE`: one detection pass."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from upstream.detection import detect_now, last_day
from upstream.management.customers import find_customer


class Command(BaseCommand):
    help = "Compares each payer's last 30 days with the 90 before, and raises alerts on drift."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", required=True, help="code of the customer to look at")
        parser.add_argument("--end", help="last day compared (default: last on file)")

    def handle(self, *args: Any, customer: str, end: str | None, **options: Any) -> None:
        owner = find_customer(customer)
        try:
            day = last_day(end) if end else None
        except ValueError as error:
            raise CommandError(f"--end: {error}") from error
        job = detect_now(owner, day)
        if job.result["window_end"] is None:
            self.stdout.write("no answered claims on file: nothing to compare")
            return
        self.stdout.write(
            f"{job.result['window_start']} to {job.result['window_end']}: "
            f"{job.result['events']} drift events, {job.result['alerts']} alerts"
        )
        for event in job.drift_events.select_related("payer").order_by("-severity"):
            subject = f" ({event.subject})" if event.subject else ""
            suppressed = f", suppressed: {event.suppressed}" if event.suppressed else ""
            self.stdout.write(
                f"  {event.payer.code} {event.drift_type}{subject}: {event.baseline:.4g} to {event.current:.4g}, "
                f"severity {event.severity:.2f}{suppressed}"
            )
