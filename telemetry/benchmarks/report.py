"""The prices as tables of Markdown, on the terminal and between the markers of docs/PERFORMANCE.md."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable
from datetime import UTC, datetime
from math import isinf
from pathlib import Path

from telemetry.benchmarks.alternate import Ratio, Result
from telemetry.benchmarks.every import SCENES
from telemetry.benchmarks.machine import machine

_MARKER = re.compile(r"(<!-- measured: (?P<name>[a-z0-9 -]+) -->\n)(?P<text>.*?)(<!-- end of measured -->)", re.DOTALL)
_SUMMARY = (
    "| scene | added by | measured | 95 % interval | at most | wanted | |",
    "| --- | --- | ---: | ---: | ---: | ---: | --- |",
)


def table(result: Result) -> str:
    """A row for each contender, and a line for each budget."""
    scene = result.scene
    base = scene.contenders[0]
    others = list(result.also[base][0])
    heads = [scene.title, scene.unit, *([] if scene.whole else ["added"]), "lowest … highest", *others]
    rows = [_row(heads), _row(["---", *["---:"] * (len(heads) - 1)])]
    for contender, prices in result.prices.items():
        cells = [contender, f"{statistics.median(prices):.1f}"]
        if not scene.whole:
            cells.append("" if contender == base else f"{statistics.median(result.added(contender)):+.1f}")
        cells.append(f"{min(prices):.1f} … {max(prices):.1f}")
        cells += [f"{statistics.median(each[name] for each in result.also[contender]):,.0f}" for name in others]
        rows.append(_row(cells))
    lines = [f"- {line(ratio)}" for ratio in result.ratios()]
    return "\n".join([*rows, *(["", *lines] if lines else [])])


def line(ratio: Ratio) -> str:
    """A ratio in words, beside its budget."""
    measured = f"{_pair(ratio)} = {ratio.median:.2f} ({ratio.low:.2f} … {ratio.high:.2f})"
    if ratio.free:
        return f"{measured}; {_verdict(ratio)}"
    if isinf(ratio.budget.at_most):
        return measured
    return f"{measured}; at most {ratio.budget.at_most:.2f}, wanted {ratio.budget.wanted:.2f}: {_verdict(ratio)}"


def write(page: Path, result: Result) -> None:
    """Put a scene's table between the markers of its name, its budgets into the summary, and the machine between its
    own; the rest stays."""
    name, rounds = result.scene.name, len(result.prices[result.scene.contenders[0]])
    found = {name: f"{table(result)}\n\n{rounds} rounds, {datetime.now(UTC).date()}.", "machine": machine()}

    def filled(match: re.Match[str]) -> str:
        text = _summary(match["text"], result) if match["name"] == "summary" else found.get(match["name"])
        return match[0] if text is None else f"{match[1]}\n{text}\n\n{match[4]}"

    page.write_text(_MARKER.sub(filled, page.read_text()))


def _summary(before: str, result: Result) -> str:
    """A row for each budget, in the scenes' order: those of one scene anew, and the others' as they stood."""
    link = f"[{result.scene.name}](#{result.scene.name})"
    rows = [row for row in before.splitlines() if row.startswith("| [") and not row.startswith(f"| {link} |")]
    rows += [_budget_row(link, ratio) for ratio in result.ratios() if not isinf(ratio.budget.at_most)]
    places = {f"[{name}](#{name})": place for place, name in enumerate(SCENES)}
    return "\n".join([*_SUMMARY, *sorted(rows, key=lambda row: places[row.split(" | ")[0].removeprefix("| ")])])


def _budget_row(link: str, ratio: Ratio) -> str:
    limits = ["1.00", ""] if ratio.free else [f"{ratio.budget.at_most:.2f}", f"{ratio.budget.wanted:.2f}"]
    interval = f"{ratio.low:.2f} … {ratio.high:.2f}"
    return _row([link, _pair(ratio), f"{ratio.median:.2f}", interval, *limits, _verdict(ratio)])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _pair(ratio: Ratio) -> str:
    return f"{ratio.budget.ours} : {ratio.budget.theirs}"


def _verdict(ratio: Ratio) -> str:
    if ratio.free:
        return "within noise" if ratio.met else "above noise"
    if not ratio.met:
        return "**missed**"
    return "as wanted" if ratio.median <= ratio.budget.wanted else "met"
