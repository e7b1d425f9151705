"""A metric more is one declaration: page, dashboard and tests follow from the command, and nothing else is edited."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.generate import files
from telemetry.tests.servers.harness import CHECKOUT

AREA = Path("telemetry/business/api.py")
BOARD = files.DASHBOARDS / "business.json"
DECLARATION = '''

@counter("upstream_export_fetched", owner="exports", unit="{export}", question="Who fetches exports, and how?")
def EXPORT_FETCHED(*, method: Method, layout: Literal["csv", "html"], customer_id: CustomerId) -> None:
    """Exports fetched."""


@histogram("upstream_export_bytes", 1000, 1e6, owner=_OWNER, unit="By", question="How large are exports?")
def EXPORT_SIZE(*, layout: Literal["csv", "html"]) -> None:
    """Size of an export, in bytes."""
'''
CACHE = CHECKOUT / ".mypy_cache" / "calls"
COPIED = ("telemetry", "upstream", "hello_world", "docs", "manage.py", "pyproject.toml")
TESTS = (
    files.TESTS,
    "upstream/tests/test_metrics.py",
    "telemetry/tests/business/test_declare.py",
    "telemetry/tests/generate/test_command.py::TestCheck::test_this_checkout_is_as_generated",
)


def run(directory: Path, *arguments: str | Path) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with two more metrics, after the command has run."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(CHECKOUT / name, copy / name)
    text = (copy / AREA).read_text()
    for old, new in (
        ("import Annotated\n", "import Annotated, Literal\n"),
        ("import counter\n", "import counter, histogram\n"),
    ):
        assert old in text
        text = text.replace(old, new)
    (copy / AREA).write_text(text + DECLARATION)
    run(copy, "manage.py", "telemetry_generate")
    return copy


def test_three_files_follow(checkout: Path) -> None:
    found = (path for name in COPIED for path in [checkout / name, *(checkout / name).rglob("*")] if path.is_file())
    changed = {
        path.relative_to(checkout)
        for path in found
        if not (there := CHECKOUT / path.relative_to(checkout)).exists() or not filecmp.cmp(path, there, shallow=False)
    }
    assert {AREA, files.PAGE, files.TESTS, BOARD} == changed


def test_the_page_tells_of_them(checkout: Path) -> None:
    page = (checkout / files.PAGE).read_text().splitlines()
    assert (
        "| `upstream_export_fetched_total` | counter | `method`, `layout`, `customer_id` |  | Exports fetched. "
        "| `{export}` | 2,000 | exports | Who fetches exports, and how? |"
    ) in page
    assert (
        "| `upstream_export_bytes` | histogram | `layout` | 1000, 1000000 | Size of an export, in bytes. "
        "| `By` | 2 | api | How large are exports? |"
    ) in page


def test_the_dashboard_has_a_panel_for_each(checkout: Path) -> None:
    board = json.loads((checkout / BOARD).read_text())
    units = {
        each["title"]: each["fieldConfig"]["defaults"]["unit"] for each in board["panels"] if each["type"] != "row"
    }
    assert {"Exports fetched, in an hour": "short", "Size of an export, in bytes, over an hour": "bytes"}.items() <= (
        units.items()
    )
    rows = [each["title"] for each in board["panels"] if each["type"] == "row"]
    assert sorted(set(rows)) == sorted(rows)
    assert "Exports" in rows


def test_their_tests_pass_and_so_do_those_of_the_others(checkout: Path) -> None:
    told = run(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA", *TESTS)
    for test in ("is_shown_as_declared", "method_takes_no_other_value", "layout_takes_no_other_value"):
        assert f"PASSED {files.TESTS}::TestUpstreamExportFetched::test_{test}\n" in told
    assert f"PASSED {files.TESTS}::TestUpstreamExportBytes::test_layout_takes_no_other_value\n" in told


def test_their_tests_type_check_and_are_clean(checkout: Path) -> None:
    run(checkout, "-m", "mypy", "--config-file", "", "--strict", "--cache-dir", CACHE, files.TESTS)
    run(checkout, "-m", "ruff", "check", "--no-cache", files.TESTS, AREA)
    run(checkout, "-m", "ruff", "format", "--no-cache", "--check", files.TESTS, AREA)
