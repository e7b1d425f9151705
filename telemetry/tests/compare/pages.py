"""The page of either stack after the same requests, from a fresh process.

`python -m telemetry.tests.compare.pages django_prometheus text|multiprocess` and
`… telemetry text|openmetrics` print it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path


def page(stack: str, directory: Path, form: str = "text") -> str:
    """What a scrape of `stack` gives; files of the service go into `directory`."""
    environ = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OTEL_", "PROMETHEUS_", "PYTEST_"))
        },
        "TEST_STACK": stack,
        "DJANGO_SETTINGS_MODULE": "telemetry.tests.compare.settings",
        "TELEMETRY_STORE_DIR": str(directory / "store"),
        "TEST_DATABASE": str(directory / f"{stack}.sqlite3"),
    }
    if form == "multiprocess":
        environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    done = subprocess.run(
        [sys.executable, "-m", __name__, stack, form], env=environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _main(stack: str, form: str) -> str:
    import django

    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    django.setup()
    from django.core.cache import cache
    from django.core.management import call_command
    from django.test import Client

    from telemetry.tests.instrumentation.replay import script

    call_command("migrate", verbosity=0)
    script(Client(raise_request_exception=False), Client(enforce_csrf_checks=True))
    cache.set("there", 1)
    cache.get("there")
    cache.get("nowhere")
    if stack == "django_prometheus":
        import prometheus_client
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = prometheus_client.REGISTRY
        if form == "multiprocess":
            registry = prometheus_client.CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return prometheus_client.generate_latest(registry).decode()
    from telemetry import runtime

    accept = "application/openmetrics-text; version=1.0.0" if form == "openmetrics" else None
    for _ in range(200):
        text = runtime.get().scrape(accept).body.decode()
        if "django_migrations_applied_total{" in text:  # looked up beside the scrapes
            return text
        time.sleep(0.05)
    raise AssertionError("migrations are not counted")


if __name__ == "__main__":
    sys.stdout.write(_main(*sys.argv[1:]))
