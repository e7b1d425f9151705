"""`python -m telemetry.benchmarks [scene …]`: play scenes, print the prices and hold them against the budgets."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from telemetry.benchmarks import report
from telemetry.benchmarks.alternate import Unfair, play
from telemetry.benchmarks.every import SCENES
from telemetry.benchmarks.scene import Scene

MARGIN = 0.5
"""`--check` fails where a ratio is above its budget by more than this share: machines are noisy, builds must not be."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m telemetry.benchmarks", description=__doc__)
    parser.add_argument("scenes", nargs="*", metavar="scene", help=f"of {', '.join(SCENES)} (default: all)")
    parser.add_argument("--rounds", type=int, help="how often each contender plays (default: by scene, 2 to 30)")
    parser.add_argument("--check", action="store_true", help=f"fail where a ratio is {MARGIN:.0%}% above its budget")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the tables into this page")
    options = parser.parse_args()
    unknown = sorted(set(options.scenes) - set(SCENES))
    if unknown:
        parser.error(f"no scene {unknown[0]!r}; there are {', '.join(SCENES)}")
    chosen = [SCENES[name] for name in options.scenes or SCENES]
    print(f"{len(chosen)} scenes, about {_minutes(chosen, options.rounds):.0f} minutes\n", flush=True)
    over, failed = [], []
    for scene in chosen:
        reason = scene.needs()
        if reason:
            print(f"{scene.name}: not played: {reason}\n", flush=True)
            continue
        try:
            result = play(scene, options.rounds or scene.rounds, _progress)
        except (Unfair, RuntimeError) as error:
            failed.append(f"{scene.name}: {error}")
            continue
        print(report.table(result) + "\n", flush=True)
        if options.write:
            report.write(options.write, result)
        over += [f"{scene.name}: {report.line(ratio)}" for ratio in result.ratios() if ratio.beyond(MARGIN)]
    for title, lines in (("over budget", over), ("failed", failed)):
        if lines:
            print("\n".join([f"{title}:", *lines]), file=sys.stderr)
    return 1 if failed or (over and options.check) else 0


def _minutes(scenes: list[Scene], rounds: int | None) -> float:
    return sum((rounds or scene.rounds) * len(scene.contenders) * scene.seconds for scene in scenes) / 60


def _progress(line: str) -> None:
    print(f"\r{line}", end="\r", file=sys.stderr, flush=True)


sys.exit(main())
