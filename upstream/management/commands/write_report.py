"""`manage.py write_report --customer CODE --type TYPE --start DAY --end DAY --out DIR`: one report, as two files."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from upstream import reports
from upstream.management.customers import find_customer
from upstream.models import Report


class Command(BaseCommand):
    help = "Writes a report over some days, both ends included, as a page (HTML) and as a sheet (CSV)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", required=True, help="code of the customer whose report it is")
        parser.add_argument("--type", required=True, choices=Report.ReportType.values)
        parser.add_argument("--start", type=datetime.date.fromisoformat, required=True, help="such as 2025-01-01")
        parser.add_argument("--end", type=datetime.date.fromisoformat, required=True, help="such as 2025-01-31")
        parser.add_argument("--out", type=Path, required=True, help="folder for the two files; made if it is not there")

    def handle(self, *args: Any, customer: str, start: datetime.date, end: datetime.date, **options: Any) -> None:
        owner, report_type, folder = find_customer(customer), options["type"], options["out"]
        try:
            reports.check(report_type, start, end)
        except ValueError as error:
            raise CommandError(str(error)) from error
        try:
            folder.mkdir(parents=True, exist_ok=True)
            report = reports.write_now(owner, report_type, start, end)
            for suffix, text in (("html", report.html), ("csv", report.csv)):
                path = folder / f"{owner.code}-{report_type}-{start}-{end}.{suffix}"
                # Bytes, because the line ends of a sheet are part of its format.
                path.write_bytes(text.encode())
                self.stdout.write(str(path))
        except reports.NoData as error:
            raise CommandError(f"{report_type}: {error}") from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
