"""The shop under a real server, watched by one stack."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from telemetry.tests.dropin.client import Client
from telemetry.tests.dropin.page import Page, read
from telemetry.tests.dropin.script import script
from telemetry.tests.servers import harness

SETTINGS = "telemetry.tests.dropin.shop.settings"
SERVERS = {"gunicorn": harness.gunicorn, "uvicorn": harness.uvicorn}


@dataclass(frozen=True, slots=True)
class Site:
    """Which stack watches, under which server, in how many processes, and with which settings."""

    stack: str
    server: str
    workers: int = 1
    namespace: str = ""
    buckets: tuple[float | str, ...] | None = None
    migrations: bool = False

    @property
    def environ(self) -> dict[str, str]:
        environ = {"DJANGO_SETTINGS_MODULE": SETTINGS, "DROPIN_STACK": self.stack, "PYTHONWARNINGS": "ignore"}
        if self.namespace:
            environ["DROPIN_NAMESPACE"] = self.namespace
        if self.buckets is not None:
            environ["DROPIN_BUCKETS"] = json.dumps(self.buckets)
        if self.migrations:
            environ["DROPIN_MIGRATIONS"] = "1"
        return environ

    @property
    def options(self) -> tuple[str, ...]:
        # The parser in C refuses methods that it does not know before the application can.
        return (f"--workers={self.workers}", *(("--http=h11",) if self.server == "uvicorn" else ()))


def prepare(directory: Path) -> Path:
    """Databases to start from, in this directory."""
    environ = {**os.environ, "DROPIN_STACK": "bare", "DROPIN_DIRECTORY": str(directory)}
    environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    command = [sys.executable, "-m", "telemetry.tests.dropin.shop.prepare"]
    done = subprocess.run(command, cwd=harness.CHECKOUT, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return directory


@contextmanager
def running(site: Site, prepared: Path, directory: Path) -> Iterator[Client]:
    """The site, served from copies of the prepared databases."""
    shutil.copytree(prepared, directory, dirs_exist_ok=True)
    environ = {**site.environ, "DROPIN_DIRECTORY": str(directory)}
    with SERVERS[site.server](directory, *site.options, env=environ) as server:
        yield Client(server.port, directory)


class Pages:
    """The pages of sites after the script, each made once. `directory` makes a new directory of a name."""

    def __init__(self, prepared: Path, directory: Callable[[str], Path]) -> None:
        self._prepared = prepared
        self._directory = directory
        self._pages: dict[Site, Page] = {}

    def of(self, site: Site) -> Page:
        """The page of this site: the only scrape of it, for a scrape is a request as well."""
        if site not in self._pages:
            with running(site, self._prepared, self._directory("site")) as client:
                for step in script(site.server):
                    client.send(step)
                text = client.get("/metrics")
            self._pages[site] = read(text, site.namespace)
            if site.workers > 1:
                segments = re.search(r"^telemetry_store_segments (\d+)", text, re.MULTILINE)
                assert segments is not None and int(segments[1]) > 1, "one process has had all the requests"
        return self._pages[site]
