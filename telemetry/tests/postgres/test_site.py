"""Three databases of three kinds, two processes of one service: each database's own account of what it executed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from telemetry.tests.postgres.conftest import EXECUTE, MANY, Run, database, ended
from telemetry.tests.postgres.server import Postgres
from telemetry.tests.postgres.test_statements import executed, word

POSTGRESQL = ("psycopg2", "pooled")


@pytest.fixture(scope="module")
def site(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Counter[str]]:
    """What was counted, and the statements of SQLite."""
    directory: Path = tmp_path_factory.mktemp("site")
    databases = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(directory / "site.sqlite3")},
        "psycopg2": database(server),
        "pooled": database(server, pool={"min_size": 1, "max_size": 2}),
    }
    found = ended("site", "psycopg", databases=databases)
    names = {alias: each["NAME"] for alias, each in databases.items()} | {"default": "site.sqlite3"}
    return Run(server, names, found["counted"], [], {}), Counter(found["sqlite"])


class TestSite:
    @pytest.mark.parametrize("alias", POSTGRESQL)
    def test_postgresql(self, site: tuple[Run, Counter[str]], alias: str) -> None:
        found, _ = site
        expected = executed(found, alias)
        failed = Counter(word(query) for query in found.server.errors(found.databases[alias]))
        assert {"INSERT", "SELECT", "COPY"} == set(failed)
        assert failed == found.operations(alias, failed=True)
        assert (expected + failed).total() == found.value(EXECUTE, alias)
        assert expected["COPY"] >= 4
        assert once_for_many(expected, found, alias) == found.operations(alias)

    def test_sqlite(self, site: tuple[Run, Counter[str]]) -> None:
        found, statements = site
        expected: Counter[str] = Counter()
        for query, times in statements.items():
            expected[word(query)] += times
        expected["ROLLBACK"] = expected.pop("ROLLBACK TO")
        del expected["COMMIT"]  # a method of the driver's connection
        assert expected.total() == found.value(EXECUTE, "default")
        # SQLite does not tell which of them failed
        operations = found.operations("default") + found.operations("default", failed=True)
        assert once_for_many(expected, found, "default") == operations


def once_for_many(executed: Counter[str], found: Run, alias: str) -> Counter[str]:
    """The workload deletes by `executemany` only: the database executes each, its duration is one observation."""
    calls = found.operations(alias)["DELETE"]
    assert 3 * calls == executed["DELETE"] == found.value(MANY, alias)
    return Counter({**executed, "DELETE": calls})
