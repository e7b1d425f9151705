"""What django-prometheus itself has, asked in a process of its own: two cannot live in one registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any


def ask(script: str) -> Any:
    """What the script has put into `found`; no settings are configured."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    command = [sys.executable, "-c", f"{script}\nimport json\nprint(json.dumps(found))"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def attributes() -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Name, HELP and labels of every metric, by the attribute of `Metrics`."""
    found = ask(
        "from django.conf import settings\nsettings.configure()\n"
        "from django_prometheus.middleware import Metrics\n"
        "metrics = vars(Metrics.get_instance()).items()\n"
        "found = {name: [metric._name, metric._documentation, metric._labelnames] for name, metric in metrics}"
    )
    return {attribute: (name, text, tuple(labels)) for attribute, (name, text, labels) in found.items()}
