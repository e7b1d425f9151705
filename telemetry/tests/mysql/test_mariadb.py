"""What telemetry counts on MariaDB, against the server's own counts of the session."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry.tests.mysql.server import Unavailable, mariadb

SERVERS_NAMES = {
    "CREATE": ("create_table", "create_procedure"),
    "SELECT": ("select",),
    "INSERT": ("insert",),
    "UPDATE": ("update",),
    "DELETE": ("delete",),
    "CALL": ("call_procedure",),
    "SAVEPOINT": ("savepoint",),
    "RELEASE": ("release_savepoint",),
    "ROLLBACK": ("rollback_to_savepoint",),
}
"""The server's own names for the operations of the workload; the driver begins, commits and sets by itself."""
PROCEDURES = 1
"""The procedure's own SELECT, which the server counts too."""
MANY = 5


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    try:
        with mariadb() as socket:
            yield socket
    except Unavailable as error:
        pytest.skip(str(error))


ENGINES = {
    "shop": "django.db.backends.mysql",
    "store": "telemetry.compat.django_prometheus.db.backends.mysql",
}
"""By the database that it is used for."""


@pytest.fixture(scope="module", params=list(ENGINES), ids=["django", "compat"])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def found(server: Path, database: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TEST_"))}
    environ |= {
        "DJANGO_SETTINGS_MODULE": "telemetry.tests.mysql.settings",
        "TELEMETRY_STORE_DIR": str(tmp_path_factory.mktemp("store")),
        "TEST_SOCKET": str(server),
        "TEST_DATABASE": database,
        "TEST_ENGINE": ENGINES[database],
    }
    done = subprocess.run(
        [sys.executable, "-m", "telemetry.tests.mysql.workload"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


class TestMariaDB:
    def test_every_statement_is_counted_by_operation(self, found: Any, database: str) -> None:
        executed = found["executed"]
        expected = {name: sum(executed[each] for each in names) for name, names in SERVERS_NAMES.items()}
        expected["SELECT"] -= PROCEDURES
        operations: Counter[str] = Counter()
        for labels, value in found["counted"]["db_client_operation_duration_seconds"]:
            assert ("mariadb", database) == (labels["db_system_name"], labels["db_namespace"])
            operations[labels["db_operation_name"]] += int(value)
        assert expected == {name: operations[name] for name in expected}
        # PyMySQL makes one INSERT of the rows of `executemany`
        total = [value for _, value in found["counted"]["django_db_execute_total"]]
        assert [operations.total() - 1 + MANY] == total

    def test_errors_and_connections(self, found: Any) -> None:
        counted = found["counted"]
        database = {"alias": "default", "vendor": "mysql"}
        assert [[database | {"type": "IntegrityError"}, 1]] == counted["django_db_errors_total"]
        assert [[database, 1]] == counted["django_db_new_connections_total"]
        assert [[database, MANY]] == counted["django_db_execute_many_total"]
