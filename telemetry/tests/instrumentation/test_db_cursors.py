"""What is watched in Django's cursor classes; telemetry/tests/postgres and tests/mysql have what is counted there."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from typing import Any

import pytest
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.backends.utils import CursorWrapper

from telemetry.tests.instrumentation.recording import Recording

METHODS = ("copy", "stream", "copy_expert", "copy_from", "copy_to", "callproc")


class TestCursor:
    def test_lacks_what_its_driver_lacks(self, recording: Recording) -> None:
        settings: dict[str, Any] = {
            "NAME": ":memory:",
            "OPTIONS": {},
            "TIME_ZONE": None,
            "CONN_MAX_AGE": 0,
            "AUTOCOMMIT": True,
        }
        db = DatabaseWrapper({**settings, "CONN_HEALTH_CHECKS": False}, "default")
        with closing(db), db.cursor() as cursor:
            assert ["callproc"] == [name for name in METHODS if hasattr(cursor, name)]
            with pytest.raises(AttributeError, match="'SQLiteCursorWrapper' object has no attribute 'copy'"):
                cursor.copy("COPY t TO STDOUT")
            with pytest.raises(AttributeError, match="callproc"):
                cursor.callproc("one")
        assert ["callproc"] == [name for name in METHODS if hasattr(CursorWrapper, name)]
        assert {} == recording.values("django_db_execute_total")


RESTORED = """
from django.conf import settings
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "none"}})
import django
django.setup()
from django.db import connection
from django.db.backends.postgresql.base import CursorDebugWrapper
from django.db.backends.utils import CursorWrapper
from telemetry.tests.instrumentation.recording import Recording

classes = (CursorWrapper, CursorDebugWrapper)
before = [dict(vars(each)) for each in classes]
connection.alias
with Recording():
    with Recording():
        pass
    connection.copy()
    changed = [vars(each) != names for each, names in zip(classes, before)]
    assert [True, True] == changed, changed
after = [dict(vars(each)) for each in classes]
assert before == after, after
"""

AROUND = """
from contextlib import closing
from django.conf import settings
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
import django
django.setup()
from django.db import connection
from django.db.backends.utils import CursorWrapper
from telemetry.tests.instrumentation.recording import Recording

def ask():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")

seen = []
with Recording() as first:
    ours = CursorWrapper._execute_with_wrappers
    def around(self, sql, *rest, **more):
        seen.append(sql)
        return ours(self, sql, *rest, **more)
    CursorWrapper._execute_with_wrappers = around
    ask()
ask()
with Recording() as second:
    ask()
assert CursorWrapper._execute_with_wrappers is around
found = [sum(each.values("django_db_execute_total").values()) for each in (first, second)]
assert [3, 1, 1] == [len(seen), *found], (seen, found)
CursorWrapper._execute_with_wrappers = ours
with Recording():
    pass
assert CursorWrapper._execute_with_wrappers is ours.__wrapped__
"""

WITHIN = """
from functools import wraps
from django.conf import settings
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
import django
django.setup()
from django.db import connection
from django.db.backends.utils import CursorWrapper
from telemetry.tests.instrumentation.recording import Recording

seen, found = [], CursorWrapper._execute_with_wrappers

@wraps(found)
def theirs(self, sql, *rest, **more):
    seen.append(sql)
    return found(self, sql, *rest, **more)

CursorWrapper._execute_with_wrappers = theirs
with Recording() as recording, connection.cursor() as cursor:
    cursor.execute("SELECT 1")
    assert ["SELECT 1"] == seen, seen
    assert 1 == sum(recording.values("django_db_execute_total").values())
assert CursorWrapper._execute_with_wrappers is theirs
"""


class TestClasses:
    def test_what_was_in_djangos_place_before_ours_is_called(self) -> None:
        done = subprocess.run([sys.executable, "-c", WITHIN], capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stderr

    def test_are_left_as_they_were_found(self) -> None:
        """In a process of its own: in this one others are watching."""
        done = subprocess.run([sys.executable, "-c", RESTORED], capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stderr

    def test_what_came_around_ours_stays_and_nothing_counts_twice(self) -> None:
        done = subprocess.run([sys.executable, "-c", AROUND], capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stderr
