"""The same statements in the same process, counted by django-prometheus's engine and by ours around it."""

from __future__ import annotations

from collections import Counter

import pytest

from telemetry.tests.postgres.conftest import ALIASES, EXECUTE, NEW, Runs

ENGINE = "django_prometheus.db.backends.postgresql"
DURATION = "django_db_query_duration_seconds"
ERRORS = "django_db_errors_total"


@pytest.mark.parametrize(
    ("driver", "workload"),
    [("psycopg", "every_sort"), ("psycopg2", "every_sort"), ("psycopg2", "chunks"), ("psycopg", "reconnecting")],
)
class TestPredecessor:
    def test_counts_the_same(self, run: Runs, driver: str, workload: str) -> None:
        """But for the time zone of each new connection, which Django sets on a cursor of the driver's own."""
        found = run(driver, workload, engine=ENGINE)
        for ours, theirs in ((EXECUTE, EXECUTE), (DURATION, f"{DURATION}_count"), (NEW, NEW), (ERRORS, ERRORS)):
            expected = by_series(found.predecessor.get(theirs, []))
            if ours in (EXECUTE, DURATION):
                for alias in ALIASES:
                    expected[alias, "postgresql"] -= int(found.value(NEW, alias))
            assert expected == by_series(found.counted[ours])
        assert found.value(EXECUTE, "default") > 0


def by_series(samples: list[tuple[dict[str, str], float]]) -> Counter[tuple[str, ...]]:
    return Counter({tuple(labels[name] for name in sorted(labels)): int(value) for labels, value in samples})
