"""What django-prometheus itself has, asked in a process of its own: two cannot live in one registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys

_SCRIPT = """
import json
from django.conf import settings
settings.configure()
from django_prometheus.middleware import Metrics
print(json.dumps({
    name: [metric._name, metric._documentation, metric._labelnames]
    for name, metric in vars(Metrics.get_instance()).items()
}))
"""


def attributes() -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Name, HELP and labels of every metric, by the attribute of `Metrics`."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    done = subprocess.run([sys.executable, "-c", _SCRIPT], env=environ, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return {attribute: (name, text, tuple(labels)) for attribute, (name, text, labels) in found.items()}
