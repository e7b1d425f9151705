"""One contender of one scene, in this very process: prints its price and its facts as the last line."""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import asdict

from telemetry.benchmarks.scenes import SCENES

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(asdict(SCENES[sys.argv[1]].run(sys.argv[2]))))
