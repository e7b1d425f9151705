"""`python -m telemetry.tests.prometheus.pulse PORT`: a few requests a second, good and bad, until it is stopped.

A process of its own, because tests that fork must find no threads in theirs.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import sys
import time

from telemetry.tests.servers.harness import get

PATHS = ("/", "/nowhere", "/claims/batches/?customer=mercy", "/claims/batches/?customer=nobody", "/detection/run/")
PAUSE = 0.1


def main(port: int) -> None:
    parent = os.getppid()
    for path in itertools.cycle(PATHS):
        if os.getppid() != parent:
            return
        with contextlib.suppress(OSError, http.client.HTTPException):
            get(port, path)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main(int(sys.argv[1]))
