"""What stands on the page of a site that nobody has visited, and how many migrations it lacks."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from telemetry.tests.dropin.client import Client
from telemetry.tests.dropin.differences import IN_FLIGHT
from telemetry.tests.dropin.page import Page, changes, read
from telemetry.tests.dropin.sites import Site, running

MIGRATIONS = ("django_migrations_applied_total", "django_migrations_unapplied_total")


Visit = tuple[str, Page]
"""The first page, and the first one that shows migrations."""


def _visit(stack: str, prepared: Path, directory: Path) -> Visit:
    with running(Site(stack, "gunicorn", migrations=True), prepared, directory) as client:
        first = client.get("/metrics")
        return first, _until_migrations(client, first)


def _until_migrations(client: Client, text: str) -> Page:
    deadline = time.monotonic() + 30
    while not all((page := read(text))[name].samples for name in MIGRATIONS):
        assert time.monotonic() < deadline, "the migrations were not looked up"
        time.sleep(0.05)
        text = client.get("/metrics")
    return page


@pytest.fixture(scope="module")
def theirs(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    return _visit("django_prometheus", prepared, tmp_path_factory.mktemp("theirs"))


@pytest.fixture(scope="module")
def ours(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    return _visit("telemetry", prepared, tmp_path_factory.mktemp("ours"))


class TestFirstPage:
    def test_every_family_of_theirs_and_prometheus_client_has_its_type(self, theirs: Visit, ours: Visit) -> None:
        def types(text: str) -> set[tuple[str, str]]:
            found = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
            # Times of creation are no families of their own where the format does not know them.
            return {(name, kind) for name, kind in found if not name.endswith("_created")}

        assert {"python_info", "process_cpu_seconds_total", *MIGRATIONS} <= {name for name, _ in types(theirs[0])}
        assert set() == types(theirs[0]) - types(ours[0])

    def test_zeros_stand_where_theirs_do(self, theirs: Visit, ours: Visit) -> None:
        changed = changes(read(theirs[0]), read(ours[0]))
        # Both look migrations up in the databases: they before they start, ours beside the scrapes.
        happened = {key: more for key, more in changed.items() if not key.startswith(("django_db_", *MIGRATIONS))}
        assert IN_FLIGHT == happened


class TestMigrations:
    @pytest.mark.parametrize("name", MIGRATIONS)
    def test_same_numbers(self, name: str, theirs: Visit, ours: Visit) -> None:
        assert {f"{name}{{connection={alias}}}" for alias in ("default", "archive")} == theirs[1][name].samples.keys()
        assert theirs[1][name].samples == ours[1][name].samples

    def test_looking_them_up_is_no_work_of_the_site(self, ours: Visit) -> None:
        families = ("django_db_execute_total", "django_db_new_connections_total")
        assert [0, 0] == [sum(ours[1][name].samples.values()) for name in families]

    def test_one_is_left(self, ours: Visit) -> None:
        assert {1.0} == set(ours[1]["django_migrations_unapplied_total"].samples.values())
