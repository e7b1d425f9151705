"""One contender of one scene, in this very process: prints its outcome as the last line.

The other scenes' modules stay away: what they import would be in the prices of start-up and memory.
"""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import asdict
from importlib import import_module

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    module, name, contender = sys.argv[1:]
    (scene,) = (each for each in import_module(module).SCENES if each.name == name)
    print(json.dumps(asdict(scene.run(contender))))
