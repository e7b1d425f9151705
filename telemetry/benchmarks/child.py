"""One contender of one scene, in this very process: prints its price and its facts as the last line."""

from __future__ import annotations

import json
import sys
import warnings

from telemetry.benchmarks.scenes import SCENES

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    outcome = SCENES[sys.argv[1]].run(sys.argv[2])
    print(json.dumps({"price": outcome.price, "facts": outcome.facts}))
