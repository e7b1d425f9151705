from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from telemetry.tests.compat.service import Service
from telemetry.tests.servers.harness import free_port

UNAPPLIED = 'django_migrations_unapplied_total{connection="%s"}'
APPLIED = 'django_migrations_applied_total{connection="%s"}'

BOTH = """
import importlib, json, sys
import django
from django.conf import settings
sqlite = "django.db.backends.sqlite3"
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DATABASES={name: {"ENGINE": sqlite, "NAME": ":memory:"} for name in ("default", "other")},
)
django.setup()
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
call_command("migrate", "auth", "0003", verbosity=0)
module = importlib.import_module(sys.argv[1] + ".migrations")
gauges = module.unapplied_migrations, module.applied_migrations
def shown():
    found = {}
    for gauge in gauges:
        found.update({json.dumps([gauge._name, sample.labels]): sample.value for sample in gauge.collect()[0].samples})
    print(json.dumps(found))
print(json.dumps([(each._name, each._type, each._documentation, each._labelnames) for each in gauges]))
module.ExportMigrationsForDatabase("other", MigrationExecutor(connections["other"]))
shown()
module.ExportMigrations()
shown()
gauges[0].labels(connection="default").set(77)
shown()
"""


def of_package(package: str) -> list[Any]:
    done = subprocess.run([sys.executable, "-c", BOTH, package], capture_output=True, text=True, timeout=60)
    assert 0 == done.returncode, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def only_migrations(page: dict[str, float]) -> dict[str, float]:
    return {line: value for line, value in page.items() if line.startswith("django_migrations_")}


def sqlite(path: Path) -> dict[str, str]:
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}


LOOKED = """
import threading

def looked():
    "Wait for the threads that scrapes have started."
    for thread in threading.enumerate():
        if thread.name == "telemetry-migrations":
            thread.join(30)
            assert not thread.is_alive()

"""


class TestModule:
    def test_gives_what_the_original_gives(self) -> None:
        theirs, ours = (of_package(name) for name in ("django_prometheus", "telemetry.compat.django_prometheus"))
        assert 4 == len(theirs)
        assert theirs == ours

    def test_starts_without_the_database(self, tmp_path: Path) -> None:
        down = {"ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": free_port(), "NAME": "x"}
        service = Service(tmp_path, DATABASES={"default": down, "up": sqlite(tmp_path / "up.sqlite3")})
        script = """
from telemetry.compat.django_prometheus.migrations import ExportMigrations
ExportMigrations()
show("page")
"""
        page = service.run(script)["page"]
        assert {UNAPPLIED % "up": 0, APPLIED % "up": 0} == only_migrations(page)
        assert 1 == page['telemetry_dropped_total{reason="migrations.refresh"}']


class TestService:
    """The app as a user installs it."""

    def test_shows_the_families_without_samples_where_it_is_off(self, tmp_path: Path) -> None:
        service = Service(tmp_path, DATABASES={"default": sqlite(tmp_path / "db.sqlite3")})
        script = """
show("first")
looked()
show("second")
text = runtime.get().scrape().body.decode()
assert "# TYPE django_migrations_unapplied_total gauge" in text
assert "# TYPE django_migrations_applied_total gauge" in text
"""
        pages = service.run(LOOKED + script)
        assert {} == only_migrations(pages["first"])
        assert {} == only_migrations(pages["second"])

    def test_shows_a_later_scrape_what_an_earlier_one_has_asked_for(self, tmp_path: Path) -> None:
        apps = ["telemetry", "django.contrib.contenttypes", "django.contrib.auth"]
        service = Service(
            tmp_path,
            INSTALLED_APPS=apps,
            DATABASES={"default": sqlite(tmp_path / "db.sqlite3")},
            PROMETHEUS_EXPORT_MIGRATIONS=True,
        )
        pages = service.run(LOOKED + "show('first'); looked(); show('second')")
        every = pages["second"][UNAPPLIED % "default"]
        assert every > 10
        assert {UNAPPLIED % "default": every, APPLIED % "default": 0} == only_migrations(pages["second"])

        # What another process has done, and what one found that has ended.
        service.run('from django.core.management import call_command; call_command("migrate", verbosity=0)')
        pages = service.run(LOOKED + "show('first'); looked(); show('second')")
        assert {UNAPPLIED % "default": 0, APPLIED % "default": every} == only_migrations(pages["second"])

    def test_scrapes_while_the_database_hangs(self, tmp_path: Path) -> None:
        service = Service(
            tmp_path, DATABASES={"default": sqlite(tmp_path / "db.sqlite3")}, PROMETHEUS_EXPORT_MIGRATIONS=True
        )
        script = """
from django.db.backends.sqlite3.base import DatabaseWrapper
asked, opened, connect = threading.Event(), threading.Event(), DatabaseWrapper.get_new_connection

def get_new_connection(db, params):
    assert threading.current_thread() is not threading.main_thread(), "the scrape has asked the database"
    asked.set()
    assert opened.wait(30)
    return connect(db, params)

DatabaseWrapper.get_new_connection = get_new_connection
show("first")
assert asked.wait(30)
show("hanging")
opened.set()
looked()
show("later")
"""
        pages = service.run(LOOKED + script)
        assert {} == only_migrations(pages["hanging"])
        assert {UNAPPLIED % "default": 0, APPLIED % "default": 0} == only_migrations(pages["later"])
