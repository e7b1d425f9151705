"""`manage.py telemetry_compare OLD NEW`: whether a move from one metrics page to another is safe."""

from __future__ import annotations

import sys
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from telemetry.compare import families, page, report
from telemetry.compare.errors import InputError
from telemetry.compare.fetch import fetch

UNSAFE, MISUSED = 1, 2
_INSTALL = "pip install 'django-telemetry-upstream[compare]'"
_HELP = """\
Compares two metrics pages: what a dashboard, an alert or a person that reads OLD would miss on NEW.

  curl -o old.txt http://127.0.0.1:8000/metrics        # before the move
  curl -o new.txt http://127.0.0.1:8000/metrics        # after it
  manage.py telemetry_compare old.txt new.txt --dashboards grafana/ --rules alerts.yml

OLD and NEW are files, URLs of http:// or https://, or - for standard input: the Prometheus text format
or OpenMetrics, plain or gzip. A family that is missing, another type, other label names and other bucket
edges break; HELP, added families and label values not seen are told.

With --dashboards (Grafana's JSON) and --rules (Prometheus's YAML) each expression is asked of both pages:
it breaks where it, or a part of it, finds series on OLD and none on NEW. What finds nothing on OLD
either is told apart. Numbers are not compared. Both pages should have seen the same kinds of traffic.

Exit status: 0 safe, 1 something would break, 2 the input cannot be used.
"""


class Command(BaseCommand):
    """Reads what it is given and nothing else: no database, no Prometheus, no Grafana."""

    help = _HELP
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("old", metavar="OLD", help="the page that dashboards and rules were made for")
        parser.add_argument("new", metavar="NEW", help="the page that would take its place")
        parser.add_argument(
            "--dashboards", nargs="+", action="extend", default=[], metavar="PATH", help="Grafana JSON, or directories"
        )
        parser.add_argument(
            "--rules", nargs="+", action="extend", default=[], metavar="PATH", help="rule files, or directories"
        )
        parser.add_argument(
            "--target-label",
            action="append",
            default=[],
            metavar="NAME",
            help="a label that Prometheus adds to every series, beside job and instance (repeatable); "
            "labels that are on neither page are taken for such",
        )
        parser.add_argument("--ignore-added", action="store_true", help="do not list families that only NEW has")
        parser.add_argument("--format", choices=("text", "json"), default="text", help="of the report (default: text)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = _compare(options)
        except InputError as error:
            raise CommandError(str(error), returncode=MISUSED) from error
        self.stdout.write(report.as_json(found) if options["format"] == "json" else report.as_text(found))
        if not found.safe:
            sys.exit(UNSAFE)


def _compare(options: dict[str, Any]) -> report.Report:
    if options["old"] == options["new"] == "-":
        raise InputError("OLD and NEW cannot both be standard input")
    old, new = (page.parse(source, fetch(source)) for source in (options["old"], options["new"]))
    differences = families.compare(old, new)
    if options["ignore_added"]:
        differences = [each for each in differences if each.aspect is not families.Aspect.ADDED]
    if not options["dashboards"] and not options["rules"]:
        return report.Report(old, new, differences)
    try:
        from telemetry.compare import asked, expressions, grafana, rules
    except ModuleNotFoundError as error:
        raise InputError(f"--dashboards and --rules need {error.name}: {_INSTALL}") from error
    wanted = asked.collect(options["rules"], rules.ENDINGS, rules.expressions)
    wanted += asked.collect(options["dashboards"], grafana.ENDINGS, grafana.expressions)
    return report.Report(old, new, differences, expressions.judge(wanted, old, new, options["target_label"]))
