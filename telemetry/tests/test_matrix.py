"""The command that runs the tests on other Pythons and Djangos: what it installs, chooses and says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from telemetry.tests.matrix import LOCK, Outcome, Pair, interpreters, main, outcome, pairs, table

SHELL = Path("/bin/sh")


class TestRequirements:
    LOCK = """\
# made by a tool
asgiref==3.13.0 \\
    --hash=sha256:00 \\
    --hash=sha256:11
    # via django
django==5.2.19 \\
    --hash=sha256:22
django-prometheus==2.5.0 \\
    --hash=sha256:33
psycopg[binary]==3.2.1 ; python_version < "4" \\
    --hash=sha256:44
"""

    def test_pins_without_hashes_and_another_django(self) -> None:
        wanted, apart = Pair((3, 13), SHELL, (6, 0)).requirements(self.LOCK)
        assert [
            "django>=6.0a1,<6.1a0",
            "asgiref==3.13.0",
            "django-prometheus==2.5.0",
            'psycopg[binary]==3.2.1 ; python_version < "4"',
        ] == wanted
        assert [] == apart

    def test_what_refuses_the_django_apart(self) -> None:
        wanted, apart = Pair((3, 13), SHELL, (6, 1)).requirements(self.LOCK)
        assert "django-prometheus==2.5.0" not in wanted
        assert ["django-prometheus==2.5.0"] == apart

    def test_takes_every_pin_of_the_lock(self) -> None:
        lock = LOCK.read_text()
        pinned = sum("==" in line and line[0].isalnum() for line in lock.splitlines())
        assert pinned == len(Pair((3, 13), SHELL, (6, 0)).requirements(lock)[0])


class TestPairs:
    def test_only_what_the_django_supports(self) -> None:
        found = pairs({(3, 11): SHELL, (3, 13): SHELL})
        assert [
            "python3.11-django5.2",
            "python3.13-django5.2",
            "python3.13-django6.0",
            "python3.13-django6.1",
        ] == [pair.name for pair in found]

    def test_interpreters_that_run(self, tmp_path: Path) -> None:
        broken = tmp_path / "python3.99"
        broken.write_text("#!/bin/sh\nexit 3\n")
        broken.chmod(0o755)
        this = Path(sys.executable)
        assert {sys.version_info[:2]: this} == interpreters([broken, this])

    def test_none_chosen(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("HOME", str(tmp_path))
        assert 2 == main(["--python", "2.7"])
        assert "no Python at hand" in capsys.readouterr().out


class TestOutcome:
    REPORT = '<testsuites><testsuite tests="9" failures="{}" errors="1" skipped="3"/></testsuites>'

    def test_counts(self, tmp_path: Path) -> None:
        report = tmp_path / "report.xml"
        report.write_text(self.REPORT.format(2))
        assert Outcome(passed=3, failed=3, skipped=3) == outcome(report, 1)
        assert not outcome(report, 1).good

    def test_nothing_ran(self, tmp_path: Path) -> None:
        assert not outcome(tmp_path / "none.xml", 4).good

    def test_interrupted_without_a_failure(self, tmp_path: Path) -> None:
        report = tmp_path / "report.xml"
        report.write_text(self.REPORT.replace('errors="1"', 'errors="0"').format(0))
        assert outcome(report, 0).good
        assert not outcome(report, 2).good

    def test_table(self) -> None:
        shown = table({((3, 11), (5, 2)): Outcome(1), ((3, 13), (6, 0)): Outcome(note="not installed")})
        rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in shown.splitlines()]
        assert [
            ["Django 5.2", "Django 6.0"],
            ["Python 3.11", "1 passed, 0 failed, 0 skipped", "-"],
            ["Python 3.13", "-", "not installed"],
        ] == rows
