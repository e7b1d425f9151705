"""`manage.py generate_claims`: a claims file of any size, in which payers drift as told, or none does."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from upstream import generator
from upstream.models import Customer, Payer


def _planted(text: str) -> tuple[str, generator.Drift]:
    payer, _, drift = text.partition(":")
    if payer not in generator.PAYERS or drift not in list(generator.Drift):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not PAYER:DRIFT with a payer of {', '.join(generator.PAYERS)} "
            f"and a drift of {', '.join(generator.Drift)}"
        )
    return payer, generator.Drift(drift)


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
        drift.add_argument(
            "--drift",
            type=_planted,
            action="append",
            metavar="PAYER:DRIFT",
            help=f"what drifts, as often as wanted: one of {', '.join(generator.PAYERS)}, "
            f"a colon, and one of {', '.join(generator.Drift)}",
        )
        drift.add_argument(
            "--drift-payer", default="humana", help="short for this payer's payment_delay and denial_rate (humana's)"
        )
        drift.add_argument("--no-drift", action="store_true", help="no payer drifts")

    def handle(self, *args: Any, **options: Any) -> None:
        planted: generator.Planted = options["drift"] or generator.drifting(options["drift_payer"])
        if options["no_drift"]:
            planted = ()
        try:
            rows = generator.claims(options["rows"], options["seed"], options["customer"], planted, options["end"])
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
        drifting = ", ".join(sorted(f"{payer} ({drift})" for payer, drift in planted)) or "no payer"
        self.stdout.write(f"{options['out']}: {options['rows']:,} claims, drifting: {drifting}")
