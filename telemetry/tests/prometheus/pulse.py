"""`python -m telemetry.tests.prometheus.pulse PORT TOKEN`: a few requests a second, good and bad, until it is stopped.

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

PATHS = ("/", "/nowhere", "/api/v1/batches/", "/api/v1/batches/999999/", "/api/v1/detections/")
PAUSE = 0.1


def main(port: int, token: str) -> None:
    parent = os.getppid()
    for path in itertools.cycle(PATHS):
        if os.getppid() != parent:
            return
        with contextlib.suppress(OSError, http.client.HTTPException):
            get(port, path, {"Authorization": f"Token {token}"})
        time.sleep(PAUSE)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
