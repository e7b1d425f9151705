"""An engine of the kind of django-tenants's: it has its own wrapper, and sets the schema before each statement."""

from __future__ import annotations

import pytest

from telemetry.tests.postgres.conftest import ALIASES, EXECUTE, MANY, NEW, Runs
from telemetry.tests.postgres.test_statements import executed

ENGINE = "django_tenants.postgresql_backend"
CHUNKED = 2 * 3
"""Server-side cursors of the workload: the engine sets the schema for each on a cursor of the driver's own."""


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
class TestTenants:
    def test_every_statement_is_counted(self, run: Runs, driver: str) -> None:
        found = run(driver, "tenants", engine=ENGINE)
        for alias in ALIASES:
            expected = executed(found, alias)
            expected["SET"] -= CHUNKED
            assert expected["SET"] > 10
            assert expected.total() == found.value(EXECUTE, alias)
            assert 2 * (7 + 2) == found.value(MANY, alias)
            for name, more in (("INSERT", 2 * (7 - 1)), ("UPDATE", 2 * (2 - 1))):
                expected[name] -= more
            assert expected == found.operations(alias)
            assert found.server.sessions(found.databases[alias]) == found.value(NEW, alias)
