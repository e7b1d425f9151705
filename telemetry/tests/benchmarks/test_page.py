"""docs/PERFORMANCE.md has a place for every scene, and what is written into it stays between its markers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from telemetry.benchmarks.alternate import Result
from telemetry.benchmarks.every import SCENES
from telemetry.benchmarks.report import write
from telemetry.tests.servers.harness import CHECKOUT

PAGE = CHECKOUT / "docs" / "PERFORMANCE.md"
MARKED = re.compile(r"^### (.+)\n\n<!-- measured: (.+) -->\n", re.MULTILINE)


def result(name: str, ours: float) -> Result:
    """A round in which everybody's price is 100, the baseline's 50, and our plain one's `ours`."""
    scene = SCENES[name]
    prices = {contender: [100.0] for contender in scene.contenders} | {scene.contenders[0]: [50.0], "ours": [ours]}
    return Result(scene, prices, {contender: [{}] for contender in scene.contenders})


def rows(page: Path, scene: str) -> list[str]:
    return [row for row in page.read_text().splitlines() if row.startswith(f"| [{scene}](#{scene}) |")]


def blank(directory: Path) -> Path:
    page = directory / "page.md"
    markers = "".join(f"<!-- measured: {name} -->\n<!-- end of measured -->\nprose\n" for name in ("summary", *SCENES))
    page.write_text(f"head\n{markers}tail\n")
    return page


class TestPage:
    def test_every_scene_has_a_section_with_markers_and_no_other_has(self) -> None:
        assert sorted((name, name) for name in SCENES) == sorted(MARKED.findall(PAGE.read_text()))

    def test_machine_and_summary_have_markers(self) -> None:
        markers = re.findall(r"<!-- measured: (.+) -->", PAGE.read_text())
        assert {"machine", "summary"} == set(markers) - set(SCENES)
        assert len(set(markers)) == len(markers)


class TestWrite:
    def test_a_table_and_its_budgets_stand_between_their_markers(self, tmp_path: Path) -> None:
        page = blank(tmp_path)
        write(page, result("business-counter", 75.0))
        text = page.read_text()
        table = text.split("<!-- measured: business-counter -->")[1].split("<!-- end of measured -->")[0]
        assert "| ours | 75.0 | +25.0 | 75.0 … 75.0 |" in table
        assert ["| [business-counter](#business-counter) | ours : OpenTelemetry, unsampled | 0.50 | 0.50 … 0.50 "
                "| 0.70 | 0.50 | as wanted |"] == rows(page, "business-counter")  # fmt: skip
        assert text.startswith("head\n<!-- measured: summary -->\n")
        assert text.endswith("<!-- end of measured -->\nprose\ntail\n")
        assert len(SCENES) + 1 == text.count("prose\n")

    def test_what_is_not_played_again_stays(self, tmp_path: Path) -> None:
        page = blank(tmp_path)
        write(page, result("scrape-1", 80.0))
        write(page, result("business-counter", 75.0))
        before = rows(page, "scrape-1")
        assert 1 == len(before)
        write(page, result("business-counter", 100.0))
        assert before == rows(page, "scrape-1")
        (row,) = rows(page, "business-counter")
        assert row.endswith("| 1.00 | 1.00 … 1.00 | 0.70 | 0.50 | **missed** |")

    def test_rows_stand_in_the_order_of_the_scenes(self, tmp_path: Path) -> None:
        page = blank(tmp_path)
        for name in ("scrape-1", "business-counter", "request"):
            write(page, result(name, 80.0))
        found = re.findall(r"^\| \[(.+?)\]", page.read_text(), re.MULTILINE)
        assert ["request", "business-counter", "scrape-1"] == list(dict.fromkeys(found))

    def test_writing_again_changes_nothing(self, tmp_path: Path) -> None:
        page = blank(tmp_path)
        write(page, result("request", 80.0))
        before = page.read_text()
        write(page, result("request", 80.0))
        assert before == page.read_text()

    def test_a_ratio_without_limits_is_told_with_its_scene_alone(self, tmp_path: Path) -> None:
        page = blank(tmp_path)
        write(page, result("cache", 75.0))
        assert "- ours : django-prometheus = 0.50 (0.50 … 0.50)\n" in page.read_text()
        assert [] == rows(page, "cache")


class TestCommand:
    def test_plays_a_scene_in_processes_of_its_own_and_writes_it(self, tmp_path: Path) -> None:
        page = blank(tmp_path)
        command = [sys.executable, "-m", "telemetry.benchmarks", "business-counter", "--rounds", "1"]
        done = subprocess.run([*command, "--write", str(page)], cwd=CHECKOUT, capture_output=True, text=True)
        assert 0 == done.returncode, done.stderr
        assert "business-counter" in done.stderr
        assert 1 == len(rows(page, "business-counter"))

    def test_names_the_scenes_where_one_is_unknown(self) -> None:
        command = [sys.executable, "-m", "telemetry.benchmarks", "nothing"]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
        assert 2 == done.returncode
        assert "no scene 'nothing'; there are request, asgi" in done.stderr
