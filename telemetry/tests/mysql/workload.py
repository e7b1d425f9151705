"""Statements on MariaDB, in a process of its own: prints what telemetry counted and what the server did, as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import django
from django.db import IntegrityError, connection, transaction

from telemetry.tests.postgres.workload import counted, refused


def work() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE item (id integer PRIMARY KEY, name varchar(20))")
        cursor.execute("CREATE PROCEDURE one() SELECT 1")
        cursor.execute("INSERT INTO item VALUES (%s, %s)", [1, "private"])
        rows: Any = ((number, "many") for number in range(2, 7))
        cursor.executemany("INSERT INTO item VALUES (%s, %s)", rows)
        cursor.execute("/* why */ (SELECT 1) UNION (SELECT 2)")
        cursor.fetchall()
        cursor.callproc("one")
        cursor.nextset()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE item SET name = 'x'")
        with transaction.atomic():
            cursor.execute("DELETE FROM item WHERE id = 1")
        with refused(IntegrityError), transaction.atomic():
            cursor.execute("INSERT INTO item VALUES (2, 'again')")


def status() -> dict[str, int]:
    """The server's counts of this session's statements, asked for past Django."""
    with connection.connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Com\\_%'")
        return {name.removeprefix("Com_"): int(value) for name, value in cursor.fetchall() if int(value)}


def main() -> None:
    django.setup()
    work()
    json.dump({"counted": counted(), "executed": status()}, sys.stdout)


if __name__ == "__main__":
    main()
