"""`python -m telemetry.tests.otlp.application`: an application that answers a few requests and ends.

Standard input has a list of them as JSON, each a path and its headers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from telemetry.catalogue.export import FAILED, LOST
from telemetry.store import open_store
from telemetry.tests.servers.harness import CHECKOUT

Asked = tuple[str, Mapping[str, str]]
ONCE: tuple[Asked, ...] = (("/database", {}),)
_FOREIGN = ("OTEL_", "PYTEST_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The last two come before a certificate of OpenTelemetry's, to the library that its exporter over HTTP uses."""
_COUNTED = (FAILED.name, LOST.name)


def serve(directory: Path, environ: Mapping[str, str], asked: Sequence[Asked] = ONCE) -> dict[str, float]:
    """Answer requests in a process of its own with these variables; how many exports failed and spans were lost."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    ran = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps(asked),
        env={
            **inherited,
            "DJANGO_SETTINGS_MODULE": "telemetry.tests.project.settings",
            "TELEMETRY_STORE_DIR": str(directory),
            **environ,
        },
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (0, ["200"] * len(asked)) == (ran.returncode, ran.stdout.split()), ran.stderr[-4000:]
    tables = open_store((), directory).read().tables
    return {name: sum(cells[0] for cells in tables[name].series().values()) for name in tables if name in _COUNTED}


if __name__ == "__main__":
    from django.test import RequestFactory

    from telemetry.tests.servers.app import application

    answer: Any = application
    for path, headers in json.load(sys.stdin):
        request = RequestFactory(headers=headers).get(path)
        response: Any = answer(request.environ, lambda status, headers, exc_info=None: print(status.split()[0]))
        b"".join(response)
        response.close()
