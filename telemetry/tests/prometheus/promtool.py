"""Prometheus's own checks: configuration, rules, tests of rules, and lint of a page."""

from __future__ import annotations

import subprocess
from pathlib import Path

from telemetry.tests.prometheus.server import binary

GIVEN = {
    'db_client_connection_count non-histogram and non-summary metrics should not have "_count" suffix',
    'django_migrations_applied_total non-counter metrics should not have "_total" suffix',
    'django_migrations_unapplied_total non-counter metrics should not have "_total" suffix',
}
"""What it finds to say about names that are others' choice: semantic conventions' and django-prometheus's."""


class Refused(AssertionError):
    """promtool finds a fault; the message is its output."""


def check_config(config: Path) -> None:
    """A configuration and the rule files that it names.

    Raises:
        Refused: one of them is wrong.
    """
    _run("check", "config", str(config))


def check_rules(rules: Path) -> None:
    """A file of rules.

    Raises:
        Refused: it is no such file, or an expression or a template does not parse.
    """
    _run("check", "rules", "--lint-fatal", str(rules))


def run_tests(tests: Path) -> None:
    """Tests of rules, over the rule files that they name.

    Raises:
        Refused: one of them fails.
    """
    _run("test", "rules", str(tests))


def lint(page: bytes) -> set[str]:
    """What promtool finds to say about a page in the text format 0.0.4, a line a finding.

    Raises:
        Refused: the page cannot be read at all.
    """
    done = subprocess.run([binary("promtool"), "check", "metrics"], input=page, capture_output=True, timeout=60)
    if done.returncode not in (0, 3):  # 3: findings
        raise Refused((done.stdout + done.stderr).decode())
    return set(done.stderr.decode().splitlines())


def _run(*arguments: str) -> None:
    done = subprocess.run([binary("promtool"), *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Refused(done.stdout + done.stderr)
