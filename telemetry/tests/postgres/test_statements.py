"""What telemetry counts, against the server's own `pg_stat_statements` and its log."""

from __future__ import annotations

from collections import Counter

import pytest

from telemetry.tests.postgres.conftest import ALIASES, EXECUTE, MANY, NEW, Run, Runs

VARIANTS = pytest.mark.parametrize(
    ("driver", "options"),
    [("psycopg", {}), ("psycopg", {"pool": True}), ("psycopg", {"server_side_binding": True}), ("psycopg2", {})],
    ids=["psycopg", "pool", "server-side-binding", "psycopg2"],
)

DRIVERS_OWN = {
    "BEGIN": "the driver begins a transaction by itself, before the first statement in it",
    "COMMIT": "a method of the driver's connection, not a statement of Django's",
    "ROLLBACK": "the same; a rollback to a savepoint is a statement, and counted",
    "SET_CONFIG": "Django sets the time zone of a new connection on the driver's cursor",
    "FETCH": "a server-side cursor reads on by itself, chunk by chunk",
    "CLOSE": "the same, when it is closed",
}
"""Statements that the server sees and telemetry does not, and why."""

SEEN_AS = {"DECLARE": "SELECT"}
"""Django executes the query of a server-side cursor; the driver makes it the cursor's declaration."""


def word(query: str) -> str:
    """The operation of a statement of the workload, without a look at our own parser."""
    text = query.replace("-- why\n", "").replace("/* also */ (", "").strip()
    if text.startswith("SELECT set_config"):
        return "SET_CONFIG"
    # Django sends these two as statements: not the driver's own.
    return "ROLLBACK TO" if text.startswith("ROLLBACK TO") else text.split()[0].upper()


def executed(run: Run, alias: str) -> Counter[str]:
    """The server's count of each operation, but for those that telemetry is known not to see."""
    counts: Counter[str] = Counter()
    for query, calls in run.server.statements(run.databases[alias]).items():
        name = word(query)
        if name not in DRIVERS_OWN:
            counts[SEEN_AS.get(name, name)] += calls
    counts["ROLLBACK"] = counts.pop("ROLLBACK TO", 0)
    return +counts


@VARIANTS
class TestEveryStatement:
    def test_is_counted_by_alias_and_operation(self, run: Runs, driver: str, options: dict[str, object]) -> None:
        found = run(driver, "every_sort", **options)
        for alias in ALIASES:
            expected = executed(found, alias)
            assert len(expected) > 10
            assert expected == found.operations(alias)

    def test_that_fails_is_counted_as_failed(self, run: Runs, driver: str, options: dict[str, object]) -> None:
        found = run(driver, "every_sort", **options)
        for alias in ALIASES:
            logged = Counter(word(query) for query in found.server.errors(found.databases[alias]))
            logged["_OTHER"] = logged.pop("SELEKT")
            assert logged == found.operations(alias, failed=True)

    def test_is_in_the_total(self, run: Runs, driver: str, options: dict[str, object]) -> None:
        found = run(driver, "every_sort", **options)
        for alias in ALIASES:
            failed = len(found.server.errors(found.databases[alias]))
            assert executed(found, alias).total() + failed == found.value(EXECUTE, alias)

    def test_of_executemany_is_in_the_total(self, run: Runs, driver: str, options: dict[str, object]) -> None:
        """The server executes it once for each set of parameters; its duration is one observation."""
        found = run(driver, "execute_many", **options)
        for alias in ALIASES:
            expected = executed(found, alias)
            many = {name: expected[name] for name in ("INSERT", "UPDATE")}
            assert sum(many.values()) == found.value(MANY, alias)
            assert expected.total() == found.value(EXECUTE, alias)
            assert expected - Counter(many) + Counter(many.keys()) == found.operations(alias)

    def test_of_a_server_side_cursor_is_counted_once(self, run: Runs, driver: str, options: dict[str, object]) -> None:
        found = run(driver, "chunks", **options)
        for alias in ALIASES:
            queries = found.server.statements(found.databases[alias])
            assert {"DECLARE": 3, "FETCH": 9, "CLOSE": 3} == {
                name: sum(calls for query, calls in queries.items() if word(query) == name)
                for name in ("DECLARE", "FETCH", "CLOSE")
            }
            assert executed(found, alias) == found.operations(alias)

    def test_that_django_tells_its_wrappers_nothing_of(
        self, run: Runs, driver: str, options: dict[str, object]
    ) -> None:
        """COPY, `stream` and `callproc`; what fails and a stream that nobody reads included."""
        found = run(driver, "unwrapped", **options)
        for alias in ALIASES:
            expected = executed(found, alias)
            assert expected["COPY"] >= 4
            assert expected == found.operations(alias)
            logged = Counter(word(query) for query in found.server.errors(found.databases[alias]))
            assert {"SELECT", "COPY"} == set(logged)
            assert logged == found.operations(alias, failed=True)
            assert (expected + logged).total() == found.value(EXECUTE, alias)


@pytest.mark.slow
@pytest.mark.parametrize(("driver", "options"), [("psycopg", {}), ("psycopg", {"pool": True}), ("psycopg2", {})])
class TestEngineOfTheOldName:
    ENGINE = "telemetry.compat.django_prometheus.db.backends.postgresql"

    def test_counts_once(self, run: Runs, driver: str, options: dict[str, object]) -> None:
        for workload in ("chunks", "unwrapped"):
            found = run(driver, workload, engine=self.ENGINE, **options)
            for alias in ALIASES:
                assert executed(found, alias) == found.operations(alias)
                assert found.server.sessions(found.databases[alias]) == found.value(NEW, alias)


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
class TestPastDjango:
    UNSEEN = Counter(
        {
            "SELECT": 1,  # the second of three statements sent as one
            "SHOW": 1,  # the third of them
            "DELETE": 1,  # a statement on the driver's cursor
        }
    )

    def test_is_not_counted(self, run: Runs, driver: str) -> None:
        """Django does not know of these: several statements in one string are one to it."""
        found = run(driver, "past_django")
        for alias in ALIASES:
            assert self.UNSEEN == executed(found, alias) - found.operations(alias)
