"""`manage.py generate_claims`: a claims file of any size, in which one payer drifts or none."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from upstream import generator
from upstream.models import Customer, Payer


class Command(BaseCommand):
    help = "Writes a CSV file of made-up claims; the same options give the same file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rows", type=int, default=50_000)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--customer", default="demo", help="code of the customer whose claims these are")
        parser.add_argument("--end", type=datetime.date.fromisoformat, default=generator.DEFAULT_END)
        parser.add_argument("--out", type=Path, required=True)
        parser.add_argument("--register", action="store_true", help="create the customer and the payers too")
        drift = parser.add_mutually_exclusive_group()
        drift.add_argument("--drift-payer", default="humana", help=f"one of {', '.join(generator.PAYERS)}")
        drift.add_argument("--no-drift", action="store_true", help="no payer drifts")

    def handle(self, *args: Any, **options: Any) -> None:
        drift_payer = None if options["no_drift"] else options["drift_payer"]
        try:
            rows = generator.claims(options["rows"], options["seed"], options["customer"], drift_payer, options["end"])
            with options["out"].open("w", encoding="utf-8", newline="") as out:
                generator.write(rows, out)
        except ValueError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{options['out']}: {error.strerror}") from error
        if options["register"]:
            Customer.objects.get_or_create(code=options["customer"], defaults={"name": options["customer"]})
            for code, name in generator.PAYERS.items():
                Payer.objects.get_or_create(code=code, defaults={"name": name})
        self.stdout.write(f"{options['out']}: {options['rows']:,} claims, drifting: {drift_payer or 'no payer'}")
