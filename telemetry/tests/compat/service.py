"""The shop with telemetry installed, in a process of its own, as a script that shows its page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_BEGIN = """
import json, sys
import django
from django.conf import settings
from telemetry.tests.shop import settings as shop_settings

shop = {name: value for name, value in vars(shop_settings).items() if name.isupper()}
settings.configure(**shop | {"INSTALLED_APPS": ["telemetry", "telemetry.tests.shop"]} | json.loads(sys.argv[1]))
django.setup()
from telemetry import runtime
pages = {}

def show(name):
    lines = runtime.get().scrape().body.decode().splitlines()
    samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    pages[name] = {series: float(value) for series, _, value in samples}

"""
_END = "\nprint(json.dumps(pages))\n"


class Service:
    """One process after the other, on one store; `settings` are added to the shop's."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self._settings = json.dumps(settings)
        self._environ = {**os.environ, "TELEMETRY_STORE_DIR": str(directory / "store"), "TEST_STACK": "telemetry"}

    def run(self, script: str) -> dict[str, dict[str, float]]:
        """The pages that the script has shown, by name: each series with its value."""
        done = subprocess.run(
            [sys.executable, "-c", _BEGIN + script + _END, self._settings],
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert 0 == done.returncode, done.stderr
        return json.loads(done.stdout)  # type: ignore[no-any-return]
