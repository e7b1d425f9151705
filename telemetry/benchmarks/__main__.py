"""`python -m telemetry.benchmarks [scene …]`: play scenes, print the prices and hold them against the budgets."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from telemetry.benchmarks import report
from telemetry.benchmarks.alternate import play
from telemetry.benchmarks.scenes import SCENES

MARGIN = 1.5
"""`--check` fails where a ratio is above its budget times this: machines are noisy, and a build must not be."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m telemetry.benchmarks", description=__doc__)
    parser.add_argument("scenes", nargs="*", metavar="scene", help=f"of {', '.join(SCENES)} (default: all)")
    parser.add_argument("--rounds", type=int, help="how often each contender plays (default: by scene, 7 to 30)")
    parser.add_argument("--check", action="store_true", help=f"fail where a ratio exceeds its budget {MARGIN} times")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the tables into this page")
    options = parser.parse_args()
    unknown = sorted(set(options.scenes) - set(SCENES))
    if unknown:
        parser.error(f"no scene {unknown[0]!r}; there are {', '.join(SCENES)}")
    results, over = [], []
    for name in options.scenes or SCENES:
        scene = SCENES[name]
        reason = scene.needs()
        if reason:
            print(f"{name}: not played: {reason}\n")
            continue
        result = play(scene, options.rounds or scene.rounds, _progress)
        results.append(result)
        print(report.table(result) + "\n")
        over += [
            f"{name}: {report.line(ratio)}" for ratio in result.ratios() if ratio.median > MARGIN * ratio.budget.at_most
        ]
    if options.write:
        report.write(options.write, results)
    if over:
        print("\n".join(["over budget:", *over]), file=sys.stderr)
    return 1 if over and options.check else 0


def _progress(line: str) -> None:
    print(f"\r{line}", end="\r", file=sys.stderr, flush=True)


sys.exit(main())
