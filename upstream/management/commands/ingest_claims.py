"""`manage.py ingest_claims FILE --customer CODE`: the upload, from a file of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from upstream.ingestion import FileRejected, ingest_now
from upstream.management.customers import find_customer


class Command(BaseCommand):
    help = "Validates and stores a CSV file of claims, and scores it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--customer", required=True, help="code of the customer whose claims these are")

    def handle(self, *args: Any, file: Path, customer: str, **options: Any) -> None:
        owner = find_customer(customer)
        try:
            with file.open("rb") as stream:
                batch = ingest_now(owner, stream, file.name)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error
        except FileRejected as error:
            raise CommandError(f"{file}: {error}") from error
        self.stdout.write(
            f"batch {batch.pk}: {batch.status}, {batch.row_count:,} rows, "
            f"{batch.accepted_count:,} stored, {batch.rejected_count:,} rejected"
        )
        for score in batch.scores.order_by("metric_type"):
            self.stdout.write(f"  {score.metric_type}: {score.score:.4f}")
        for row in batch.rejected_rows.order_by("line_number")[:20]:
            for reason in row.reasons:
                self.stdout.write(
                    f"  line {row.line_number}, {reason['column'] or 'row'}: {reason['check']}, "
                    f"given {reason['given']!r}, valid is {reason['valid']}"
                )
