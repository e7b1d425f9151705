"""`manage.py telemetry_generate`: write what follows from the catalogue and the declarations anew, or compare it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from telemetry.errors import SpecError


class Command(BaseCommand):
    """Works on a checkout of this project, with the extra `dev` installed."""

    help = (
        "Writes the tables of docs/PROMETHEUS_METRICS.md, the dashboards of docs/grafana and the tests of the business "
        "metrics from the catalogue."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail where a file differs")
        parser.add_argument("--root", type=Path, default=Path(), help="the checkout (default: the working directory)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            from telemetry.generate import files
        except ModuleNotFoundError as error:
            raise CommandError(f"{error}; install the extra 'dev'") from error
        root: Path = options["root"]
        try:
            wanted = files.generate(root)
        except (OSError, SpecError) as error:
            raise CommandError(str(error)) from error
        different = files.differences(root, wanted)
        complaints = files.wrong_expressions(wanted)
        if options["check"]:
            complaints += [f"{path} differs from the catalogue; run telemetry_generate" for path in different]
        if complaints:
            raise CommandError("\n".join(complaints))
        for path in different:
            target = root / path
            if path not in wanted:
                target.unlink()
                self.stdout.write(f"removed {path}")
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(wanted[path], encoding="utf-8")
            self.stdout.write(f"wrote {path}")
