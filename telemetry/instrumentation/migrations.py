"""How many migrations each database has and lacks: looked up beside the scrapes, never by them.

A scrape asks, and shows what is known; the asking starts a thread that looks into the databases, at most one
at a time and not again within `SECONDS`. What it finds is shared by all processes and stays until somebody
finds something else, so a scrape shows what an earlier one has asked for. A database that does not answer
keeps its last value, and holds up nothing but that thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.dummy.base import DatabaseWrapper as Dummy
from opentelemetry.instrumentation.utils import suppress_instrumentation

from telemetry.catalogue.migrations import MigrationCatalogue
from telemetry.instrumentation.guard import Guard
from telemetry.store import Store

if TYPE_CHECKING:
    from django.db.migrations.executor import MigrationExecutor

SECONDS = 10.0
"""How long what a process found is recent enough for it: below the usual time between two scrapes."""


class MigrationInstrumentation:
    """Looks up migrations. Where it is not `enabled`, asking does nothing; `refresh` works all the same.

    `leave` is called with each connection of the thread that looks, before it does.
    """

    def __init__(
        self,
        store: Store,
        catalogue: MigrationCatalogue,
        guard: Guard,
        *,
        enabled: bool,
        leave: Callable[[BaseDatabaseWrapper], None] = lambda db: None,
    ) -> None:
        self._leave = leave
        self._guard = guard
        self._enabled = enabled
        self._unapplied = store.table(catalogue.unapplied)
        self._applied = store.table(catalogue.applied)
        self._seen: dict[str, tuple[frozenset[tuple[str, str]], tuple[int, int]]] = {}
        self._due = 0.0
        self._pid = 0
        self._busy = threading.Lock()

    def ask(self) -> None:
        """Have the databases looked into, soon, by a thread; called by each scrape. Never raises, never waits."""
        if not self._enabled or monotonic() < self._due:
            return
        try:
            if self._pid != os.getpid():  # a fork takes the lock along, but not the thread that would release it
                self._pid, self._busy = os.getpid(), threading.Lock()
            if self._busy.acquire(blocking=False):
                self._due = monotonic() + SECONDS
                try:
                    threading.Thread(
                        target=self._look, args=(self._busy,), name="telemetry-migrations", daemon=True
                    ).start()
                except BaseException:
                    self._busy.release()
                    raise
        except Exception as exc:  # noqa: BLE001 - no thread can be had, or the interpreter is ending
            self._guard.failed("migrations.ask", exc)

    def refresh(self) -> None:
        """Look into every database now, in the caller's thread and on its connections. Never raises."""
        for alias in connections:
            try:
                connection = migrated(alias)
                if connection is not None:
                    self.record(alias, *self._counts(alias, connection))
            except Exception as exc:  # noqa: BLE001
                self._guard.failed("migrations.refresh", exc)

    def record(self, alias: str, unapplied: int, applied: int) -> None:
        """Keep what was found in the database `alias`."""
        self._unapplied.set((alias,), unapplied)
        self._applied.set((alias,), applied)

    def _look(self, busy: threading.Lock) -> None:
        try:
            # Neither counted nor traced: it is nobody's request, and comes back every few seconds.
            self._leave_connections()
            with suppress_instrumentation():
                self.refresh()
        finally:
            try:
                connections.close_all()  # this thread's
            except Exception as exc:  # noqa: BLE001 - a thread has nobody to tell
                self._guard.failed("migrations.close", exc)
            self._due = monotonic() + SECONDS
            busy.release()

    def _leave_connections(self) -> None:
        for alias in connections:
            try:
                self._leave(connections[alias])
            except Exception as exc:  # noqa: BLE001
                self._guard.failed("migrations.leave", exc)

    def _counts(self, alias: str, connection: BaseDatabaseWrapper) -> tuple[int, int]:
        # Late: importing it needs all apps to be ready.
        from django.db.migrations.executor import MigrationExecutor
        from django.db.migrations.recorder import MigrationRecorder

        recorded = frozenset(MigrationRecorder(connection).applied_migrations())
        seen = self._seen.get(alias)
        if seen is None or seen[0] != recorded:
            # Reads every migration module and builds their graph: once for each new state of the database.
            self._seen[alias] = seen = recorded, count(MigrationExecutor(connection))
        return seen[1]


def migrated(alias: str) -> BaseDatabaseWrapper | None:
    """This thread's connection; None for the dummy that a project without databases is given.

    Raises:
        ImproperlyConfigured: the alias has a backend that cannot be loaded.
    """
    connection = connections[alias]
    return None if isinstance(connection, Dummy) else connection


def count(executor: MigrationExecutor) -> tuple[int, int]:
    """The unapplied and the applied migrations, counted as django-prometheus 2.5.0 does."""
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes())), len(executor.loader.applied_migrations)
