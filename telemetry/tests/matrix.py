"""The tests on every Python at hand with every Django that supports it: `python -m telemetry.tests.matrix`.

Each pair has a virtual environment of its own below `.matrix/`, with the packages of `.ci/requirements/dev.txt` as they
are pinned there and another Django. The lock's hashes cannot hold for packages that it does not name, so none are
asked for. The status is 0 if no test failed, 1 if one did or a pair could not be made, 2 if no pair was chosen.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

CHECKOUT = Path(__file__).resolve().parents[2]
HOME = CHECKOUT / ".matrix"
LOCK = CHECKOUT / ".ci" / "requirements" / "dev.txt"

Version = tuple[int, int]

DJANGOS: dict[Version, tuple[Version, Version]] = {
    (5, 2): ((3, 10), (3, 14)),
    (6, 0): ((3, 12), (3, 14)),
    (6, 1): ((3, 12), (3, 14)),
}
"""The oldest and the newest Python of each Django: https://docs.djangoproject.com/en/dev/faq/install/"""
OLDEST: Version = (3, 11)
"""The oldest Python that the project supports."""
REFUSED = {(6, 1): {"django-prometheus"}}
"""Packages that refuse a Django by their requirements, though the tests pass with both: installed without asking."""

_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==[^\s\\]+(?:\s*;[^\\]*)?")


def dotted(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


@dataclass(frozen=True, slots=True)
class Pair:
    """A Python and a Django."""

    python: Version
    interpreter: Path
    django: Version

    @property
    def name(self) -> str:
        return f"python{dotted(self.python)}-django{dotted(self.django)}"

    def requirements(self, lock: str) -> tuple[list[str], list[str]]:
        """The lock's pins without hashes, with this Django; those that refuse it apart."""
        major, minor = self.django
        wanted: list[str] = [f"django>={major}.{minor}a1,<{major}.{minor + 1}a0"]
        apart: list[str] = []
        for match in filter(None, map(_PIN.match, lock.splitlines())):
            name = match[1].lower()
            if name != "django":
                (apart if name in REFUSED.get(self.django, ()) else wanted).append(match[0].strip())
        return wanted, apart


def interpreters(candidates: Iterable[Path]) -> dict[Version, Path]:
    """Those that run and can make environments, the newest of each version."""
    ask = "import ensurepip, sys, venv; print(*sys.version_info[:3], sys.implementation.name)"
    newest: dict[Version, tuple[int, Path]] = {}
    for candidate in candidates:
        answer = subprocess.run([candidate, "-c", ask], capture_output=True, text=True, timeout=30, check=False)
        if answer.returncode != 0:
            continue
        major, minor, micro, name = answer.stdout.split()
        version = int(major), int(minor)
        if name == "cpython" and version >= OLDEST and int(micro) >= newest.get(version, (0,))[0]:
            newest[version] = int(micro), candidate
    return {version: path for version, (_, path) in sorted(newest.items())}


def at_hand() -> Iterator[Path]:
    """Every file that is called like a Python 3: on PATH, of pyenv, and this one."""
    yield Path(sys.executable)
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for folder in (*folders, *Path.home().glob(".pyenv/versions/*/bin")):
        yield from (path for path in folder.glob("python3*") if re.fullmatch(r"python3(\.\d+)?", path.name))


def pairs(found: dict[Version, Path]) -> list[Pair]:
    """The pairs whose Python the Django supports."""
    return [
        Pair(python, path, django)
        for python, path in found.items()
        for django, (oldest, newest) in DJANGOS.items()
        if oldest <= python <= newest
    ]


def installed(pair: Pair) -> Path:
    """The pair's interpreter with all packages, made where it is missing or the lock has changed.

    Raises:
        CalledProcessError: the environment could not be made; what pip says stands on the terminal.
    """
    folder, (wanted, apart) = HOME / pair.name, pair.requirements(LOCK.read_text())
    python, stamp = folder / "bin" / "python", folder / ".installed"
    state = "\n".join([str(pair.interpreter), *wanted, "", *apart])
    if stamp.exists() and stamp.read_text() == state:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([pair.interpreter, "-m", "venv", folder], check=True)
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-user", "--quiet"]
    subprocess.run([*pip, *wanted], check=True)
    if apart:
        subprocess.run([*pip, "--no-deps", *apart], check=True)
    stamp.write_text(state)
    return python


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many tests passed, failed or were skipped; `note` where there is nothing to count."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    note: str = ""

    def __str__(self) -> str:
        return self.note or f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    @property
    def good(self) -> bool:
        return not self.note and not self.failed


def run(pair: Pair, arguments: Sequence[str]) -> Outcome:
    """Run the tests with these arguments for pytest."""
    try:
        python = installed(pair)
    except subprocess.CalledProcessError:
        return Outcome(note="not installed")
    report = HOME / f"{pair.name}.xml"
    report.unlink(missing_ok=True)
    # In CI a skipped test fails; a machine with many Pythons may lack a server.
    environ = {name: value for name, value in os.environ.items() if name != "CI"}
    options = ["-q", "-p", "no:cacheprovider", "--continue-on-collection-errors", f"--junitxml={report}", *arguments]
    done = subprocess.run([str(python), "-m", "pytest", *options], cwd=CHECKOUT, env=environ, check=False)
    return outcome(report, done.returncode)


def outcome(report: Path, status: int) -> Outcome:
    """What pytest's report says; its status where it says of no failure."""
    if not report.exists():
        return Outcome(note=f"pytest ended with {status}")
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    tests, failures, errors, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    failed = failures + errors
    if status != 0 and not failed:
        return Outcome(note=f"pytest ended with {status}")
    return Outcome(tests - failed - skipped, failed, skipped)


def table(outcomes: dict[tuple[Version, Version], Outcome]) -> str:
    """A line for each Python, a column for each Django."""
    rows = sorted({python for python, _ in outcomes})
    columns = sorted({django for _, django in outcomes})
    cells = [["", *(f"Django {dotted(django)}" for django in columns)]]
    for python in rows:
        cells.append([f"Python {dotted(python)}", *(str(outcomes.get((python, django), "-")) for django in columns)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in cells)


def _version(text: str) -> Version:
    match = re.fullmatch(r"(\d+)\.(\d+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a version; give e.g. 3.12")
    return int(match[1]), int(match[2])


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m telemetry.tests.matrix", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--python", action="append", type=_version, metavar="X.Y", help="only this Python (repeatable)")
    parser.add_argument("--django", action="append", type=_version, metavar="X.Y", help="only this Django (repeatable)")
    parser.add_argument("--list", action="store_true", help="show the pairs, run nothing")
    parser.add_argument("pytest", nargs="*", metavar="ARG", help="arguments for pytest, after --")
    options = parser.parse_args(given)
    chosen = [
        pair
        for pair in pairs(interpreters(at_hand()))
        if pair.python in (options.python or (pair.python,)) and pair.django in (options.django or (pair.django,))
    ]
    if not chosen:
        print("no Python at hand for what was asked; Pythons from 3.11 on are looked for on PATH and in ~/.pyenv")
        return 2
    if options.list:
        print(*(f"{pair.name}  {pair.interpreter}" for pair in chosen), sep="\n")
        return 0
    HOME.mkdir(exist_ok=True)
    (HOME / ".gitignore").write_text("*\n")
    outcomes = {}
    for pair in chosen:
        print(f"=== {pair.name}", flush=True)
        outcomes[pair.python, pair.django] = run(pair, options.pytest)
    print(table(outcomes))
    return 0 if all(each.good for each in outcomes.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
