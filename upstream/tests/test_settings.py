from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db.utils import ConnectionHandler
from pytest_django import DjangoDbBlocker

from upstream.settings import _env

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {
    "UPSTREAM_SECRET_KEY": "long-enough-and-with-many-different-letters-0123456789-abcdefgh",
    "UPSTREAM_ALLOWED_HOSTS": "upstream.example.com",
}


def check(settings: str, *options: str, **environ: str) -> tuple[int, str]:
    """`manage.py check` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "manage.py", "check", *options],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": f"upstream.settings.{settings}", **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


class TestDatabaseUrl:
    def test_not_set_is_sqlite(self, tmp_path: Path) -> None:
        path = tmp_path / "var" / "upstream.sqlite3"
        given = _env.database(path, {})
        assert ("django.db.backends.sqlite3", str(path)) == (given["ENGINE"], given["NAME"])
        assert path.parent.is_dir()

    def test_postgres(self) -> None:
        given = _env.database(
            Path(), {"DATABASE_URL": "postgres://me:p%40ss@db.example.com:5433/claims?sslmode=require"}
        )
        expected = {
            "ENGINE": "django.db.backends.postgresql",
            "USER": "me",
            "PASSWORD": "p@ss",
            "HOST": "db.example.com",
            "PORT": 5433,
            "NAME": "claims",
            "OPTIONS": {"sslmode": "require"},
        }
        assert expected == {name: given[name] for name in expected}

    @pytest.mark.parametrize(("pool", "age"), [("true", 0), ("false", 60)])
    def test_a_pool_keeps_connections_itself(self, pool: str, age: int) -> None:
        given = _env.database(Path(), {"DATABASE_URL": f"postgres://me@db.example.com/claims?pool={pool}"})
        assert (pool == "true", age) == (given["OPTIONS"]["pool"], given["CONN_MAX_AGE"])

    @pytest.mark.parametrize(
        ("url", "name"),
        [
            ("sqlite:////abs/x.db", "/abs/x.db"),
            ("sqlite:///x.db", "x.db"),
            ("sqlite:////a%20b/%23", "/a b/#"),
            ("sqlite://:memory:", ":memory:"),
        ],
    )
    def test_sqlite(self, url: str, name: str) -> None:
        assert name == _env.database(Path(), {"DATABASE_URL": url})["NAME"]

    def test_sqlite_is_opened_for_many_writers(self, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> None:
        connection: Any = ConnectionHandler({"default": _env.database(tmp_path / "x.sqlite3", {})})["default"]
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            assert ("wal",) == cursor.execute("PRAGMA journal_mode").fetchone()
            assert (120_000,) == cursor.execute("PRAGMA busy_timeout").fetchone()
        assert "IMMEDIATE" == connection.transaction_mode
        connection.close()

    @pytest.mark.parametrize(
        ("url", "shown", "why"),
        [
            ("nonsense", "nonsense", "does not begin with one of postgres://"),
            ("mysql://u:secret@h/db", "mysql://u:***@h/db", "does not begin with one of"),
            ("user:secret@host/db", "user:***@host/db", "does not begin with one of"),
            ("postgres://u:secret@h:port/db", "postgres://u:***@h:port/db", "is the port a number"),
            ("postgres://u:secr[et@h/db", "postgres://u:***@h/db", "not valid in a URL"),
            ("postgres://u:sec/ret@h/db", "postgres://u:***@h/db", "is the port a number"),
            ("postgres://u:secret@h", "postgres://u:***@h", "names no database"),
            ("postgres://u:secret@h/db?pool=yes", "postgres://u:***@h/db?pool=yes", "pool is 'yes', which is neither"),
            ("sqlite://relative.db", "sqlite://relative.db", "three slashes"),
        ],
    )
    def test_unusable_is_named_without_its_password(self, url: str, shown: str, why: str) -> None:
        with pytest.raises(ImproperlyConfigured) as raised:
            _env.database(Path(), {"DATABASE_URL": url})
        message = str(raised.value)
        assert message.startswith(f"DATABASE_URL: {shown!r} cannot be used: ")
        assert why in message
        assert "valid is postgres://USER:PASSWORD@HOST:PORT/NAME" in message
        assert "sec" not in message
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__ or raised.value.__context__ is None

    def test_unusable_stops_the_start(self) -> None:
        status, said = check("dev", DATABASE_URL="postgres://u:secret@h:port/db")
        assert 1 == status
        assert "ImproperlyConfigured: DATABASE_URL: 'postgres://u:***@h:port/db'" in said
        assert "secret" not in said


class TestVariables:
    @pytest.mark.parametrize(
        ("given", "expected"), [("", True), ("0", False), ("No", False), ("on", True), ("1", True)]
    )
    def test_boolean(self, given: str, expected: bool) -> None:
        assert expected == _env.boolean("X", True, {"X": given})

    def test_neither_yes_nor_no(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="X: 'maybe' is neither yes"):
            _env.boolean("X", True, {"X": "maybe"})

    def test_integer(self) -> None:
        assert (5, 12) == (_env.integer("X", 5, {}), _env.integer("X", 5, {"X": " 12 "}))

    @pytest.mark.parametrize("given", ["-1", "1.5", "many", "²"])
    def test_no_integer(self, given: str) -> None:
        with pytest.raises(ImproperlyConfigured, match="is not a whole number"):
            _env.integer("X", 5, {"X": given})

    def test_words(self) -> None:
        assert ["a", "b"] == _env.words("X", {"X": "a, b,"})


class TestPasswords:
    @pytest.mark.parametrize("given", ["1", "password", "31415926535"])
    def test_weak_ones_are_refused(self, given: str) -> None:
        with pytest.raises(ValidationError):
            validate_password(given)


class TestProduction:
    def test_passes_the_deployment_checks(self) -> None:
        status, said = check("production", "--deploy", "--fail-level=WARNING", **SECRETS)
        assert (0, "") == (status, said)

    @pytest.mark.parametrize("name", SECRETS)
    def test_a_missing_secret_stops_the_start(self, name: str) -> None:
        status, said = check("production", **{**SECRETS, name: ""})
        assert 1 == status
        assert f"ImproperlyConfigured: {name}: the environment variable is not set" in said

    def test_an_exception_is_logged_without_what_it_says(self, tmp_path: Path) -> None:
        (tmp_path / "static").mkdir()
        done = subprocess.run(
            [sys.executable, "-c", BROKEN_VIEW], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
            env={**os.environ, **SECRETS, "DJANGO_SETTINGS_MODULE": "upstream.settings.production",
                 "UPSTREAM_VAR_DIR": str(tmp_path), "UPSTREAM_SSL_REDIRECT": "0"},
        )  # fmt: skip
        assert "500" == done.stdout.strip()
        records = [json.loads(line) for line in done.stderr.splitlines()]
        (record,) = [record for record in records if record["logger"] == "django.request"]
        assert ("ERROR", "ValueError") == (record["level"], record["exception.type"])
        assert "broken" in record["exception.stacktrace"]
        assert "private" not in done.stderr


BROKEN_VIEW = """
import django
django.setup()
from django.test import Client
from hello_world import urls

def broken(request):
    raise ValueError("a private matter")

urls.urlpatterns[0].callback = broken
client = Client(raise_request_exception=False, headers={"Host": "upstream.example.com"})
print(client.get("/").status_code)
"""
