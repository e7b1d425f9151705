"""What mypy says of calls, right and wrong, and what becomes of them at run time, line by line."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from telemetry.business import DROPPED, _declare
from telemetry.tests.business.harness import scrape

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
RIGHT, WRONG = HERE / "right_calls.py", HERE / "wrong_calls.py"
END = 1000
MARK = re.compile(r"  # error: (?P<codes>[a-z-]+(?:, [a-z-]+)*) -> (?P<outcome>\w+)$")
ERROR = re.compile(r"(?P<file>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[a-z-]+)\]$")
MARKS = {number: match for number, line in enumerate(WRONG.read_text().splitlines(), 1) if (match := MARK.search(line))}


def statements(path: Path, lines: range) -> dict[int, CodeType]:
    """The statements of a file that begin on these lines, ready to be run, by their line."""
    return {
        node.lineno: compile(ast.Module([node], []), path.name, "exec", dont_inherit=True)
        for node in ast.parse(path.read_text()).body
        if node.lineno in lines and not (isinstance(node, ast.ImportFrom) and node.module == "__future__")
    }


def outcome(call: CodeType, names: dict[str, Any]) -> str:
    """`recorded`, the reason for which the measurement was dropped, or the error that was raised."""
    with scrape() as page:
        try:
            exec(call, names)
        except Exception as error:  # noqa: BLE001
            return type(error).__name__
        ((name, labels),) = {
            (name.removesuffix("_count"), labels)
            for name, labels in page.samples()
            if not name.endswith(("_sum", "_bucket"))
        }
        return dict(labels)["reason"] if name == DROPPED.family.name else "recorded"


@pytest.fixture(scope="module")
def found() -> dict[str, dict[int, set[str]]]:
    """The codes of mypy's errors by file and line."""
    # Without the plugin for Django, of which nothing here is, and with a cache that is not that of `make lint`.
    options = ["--config-file", "", "--strict", "--no-error-summary", "--cache-dir", ".mypy_cache/calls"]
    command = [sys.executable, "-m", "mypy", *options, str(RIGHT), str(WRONG)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "" == done.stderr
    errors: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for line in done.stdout.splitlines():
        if ": note: " not in line:
            match = ERROR.fullmatch(line)
            assert match, line
            errors[Path(match["file"]).name][int(match["line"])].add(match["code"])
    return errors


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the files declare is forgotten afterwards."""
    monkeypatch.setattr(_declare, "_measures", dict(_declare._measures))
    yield


class TestTypes:
    def test_mypy_rejects_every_wrong_call_and_says_why(self, found: dict[str, dict[int, set[str]]]) -> None:
        assert {line: set(mark["codes"].split(", ")) for line, mark in MARKS.items()} == found[WRONG.name]

    def test_mypy_takes_every_right_call(self, found: dict[str, dict[int, set[str]]]) -> None:
        assert {WRONG.name} == found.keys()


@pytest.mark.usefixtures("registry")
class TestRunTime:
    def test_every_wrong_call_is_dropped_and_counted_unless_its_text_is_valid(self) -> None:
        first, names = min(MARKS), {"__name__": "wrong_calls"}
        for setting in statements(WRONG, range(first)).values():
            exec(setting, names)
        calls = statements(WRONG, range(first, END))
        assert MARKS.keys() == calls.keys()
        expected = {line: mark["outcome"] for line, mark in MARKS.items()}
        assert expected == {line: outcome(call, names) for line, call in calls.items()}

    def test_every_right_call_is_recorded(self) -> None:
        lines = [node.lineno for node in ast.parse(RIGHT.read_text()).body if isinstance(node, ast.Expr)][1:]
        names: dict[str, Any] = {"__name__": "right_calls"}
        for setting in statements(RIGHT, range(lines[0])).values():
            exec(setting, names)
        calls = statements(RIGHT, range(lines[0], END))
        assert lines == list(calls)
        assert dict.fromkeys(lines, "recorded") == {line: outcome(call, names) for line, call in calls.items()}
