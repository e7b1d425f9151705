"""The prices as tables of Markdown, on the terminal and between the markers of docs/PERFORMANCE.md."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from telemetry.benchmarks.alternate import Ratio, Result

_PACKAGES = (
    "django",
    "django-prometheus",
    "prometheus-client",
    "opentelemetry-sdk",
    "opentelemetry-instrumentation-django",
)
_MARKER = re.compile(r"(<!-- measured: (?P<name>[a-z0-9 -]+) -->\n).*?(\n<!-- end of measured -->)", re.DOTALL)


def table(result: Result) -> str:
    """A scene's title, a row for each contender, and a line for each budget."""
    scene = result.scene
    base = scene.contenders[0]
    rows = [f"| {scene.title} | {scene.unit} | added | lowest … highest |", "| --- | ---: | ---: | ---: |"]
    for contender, prices in result.prices.items():
        added = "" if scene.whole or contender == base else f"{statistics.median(result.added(contender)):+.1f}"
        rows.append(
            f"| {contender} | {statistics.median(prices):.1f} | {added} | {min(prices):.1f} … {max(prices):.1f} |"
        )
    lines = [line(ratio) for ratio in result.ratios()]
    return "\n".join([*rows, *(["", *(f"- {each}" for each in lines)] if lines else [])])


def line(ratio: Ratio) -> str:
    """A ratio in words, beside its budget."""
    budget = ratio.budget
    return (
        f"{budget.ours} : {budget.theirs} = {ratio.median:.2f} ({ratio.low:.2f} … {ratio.high:.2f}); "
        f"at most {budget.at_most:.2f}, wanted {budget.wanted:.2f}"
    )


def machine() -> str:
    """What it was measured on."""
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} CPUs ({_cpu()}); {versions}."
    )


def write(page: Path, results: Iterable[Result]) -> None:
    """Put each scene's table between the markers of its name, and the machine between its own; the rest stays."""
    found = {result.scene.name: table(result) for result in results} | {"machine": machine()}

    def filled(match: re.Match[str]) -> str:
        text = found.get(match["name"])
        return match[0] if text is None else f"{match[1]}\n{text}\n{match[3]}"

    page.write_text(_MARKER.sub(filled, page.read_text()))


def _cpu() -> str:
    try:
        names = re.findall(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown"
