"""One server for all of these tests; each run of a workload has databases of its own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from telemetry.tests.postgres.server import Postgres, Unavailable, postgres

ALIASES = ("default", "other")
ENGINE = "django.db.backends.postgresql"
DURATION = "db_client_operation_duration_seconds"
EXECUTE = "django_db_execute_total"
MANY = "django_db_execute_many_total"
NEW = "django_db_new_connections_total"
FAILED = "django_db_new_connection_errors_total"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    try:
        with postgres() as server:
            yield server
    except Unavailable as error:
        pytest.skip(str(error))


@dataclass
class Run:
    """A workload that has ended: what telemetry counted and traced, and the server that it was done on."""

    server: Postgres
    databases: dict[str, str]
    counted: dict[str, list[tuple[dict[str, str], float]]]
    spans: list[dict[str, Any]]
    returned: dict[str, Any]
    """What the workload itself gave, by alias."""
    predecessor: dict[str, list[tuple[dict[str, str], float]]] = field(default_factory=dict)
    """What django-prometheus's engine counted in the same process, where it is in use."""

    def value(self, family: str, alias: str) -> float:
        return sum(value for labels, value in self.counted[family] if labels["alias"] == alias)

    def operations(self, alias: str, *, failed: bool = False) -> Counter[str]:
        """How often each operation was counted: those that failed, or those that did not."""
        counts: Counter[str] = Counter()
        for labels, value in self.counted[DURATION]:
            if labels["alias"] == alias and bool(labels["error_type"]) == failed:
                assert self.databases[alias] == labels["db_namespace"]
                counts[labels["db_operation_name"]] += int(value)
        return counts


Runs = Callable[..., Run]


@pytest.fixture(scope="session")
def run(server: Postgres) -> Runs:
    """Each workload once with each driver, each engine and each `OPTIONS` of the database."""
    done: dict[str, Run] = {}

    def run(
        driver: str, workload: str, aliases: tuple[str, ...] = ALIASES, engine: str = ENGINE, **options: Any
    ) -> Run:
        key = repr((driver, workload, aliases, engine, options))
        if key not in done:
            settings = {alias: database(server, engine, **options) for alias in aliases}
            found = ended("workload", driver, workload, databases=settings)
            names = {alias: each["NAME"] for alias, each in settings.items()}
            done[key] = Run(server, names, *(found[name] for name in ("counted", "spans", "returned", "predecessor")))
        return done[key]

    return run


def database(server: Postgres, engine: str = ENGINE, **options: Any) -> dict[str, Any]:
    """The settings of a new database."""
    name = f"test_{next(_numbers)}"
    server.ask(f"CREATE DATABASE {name}")
    return {
        "ENGINE": engine,
        "NAME": name,
        "USER": "postgres",
        "PASSWORD": server.password,
        "HOST": "127.0.0.1",
        "PORT": server.port,
        "OPTIONS": options,
    }


def ended(module: str, *arguments: str, databases: dict[str, Any]) -> Any:
    """What a process of a module of these tests printed as JSON, on these `DATABASES`."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TEST_"))}
    environ["DJANGO_SETTINGS_MODULE"] = "telemetry.tests.postgres.settings"
    environ["TEST_DATABASES"] = json.dumps(databases)
    with tempfile.TemporaryDirectory() as store:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", f"telemetry.tests.postgres.{module}", *arguments],
            env={**environ, "TELEMETRY_STORE_DIR": store},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)
