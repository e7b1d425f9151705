"""Which connections are watched: all, from `install()` to `uninstall()`."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterable
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from telemetry.catalogue.db import DbCatalogue
from telemetry.instrumentation.db._cursors import leave_cursors, watch_cursors
from telemetry.instrumentation.db._observer import Observer, Tables
from telemetry.instrumentation.db._pools import Pools
from telemetry.instrumentation.guard import Guard
from telemetry.store import Store


class DbInstrumentation:
    """Records statements and connections from `install()` to `uninstall()`.

    `limit` is how many values a process records of a label that settings or drivers make.
    """

    def __init__(self, store: Store, catalogue: DbCatalogue, guard: Guard, *, limit: int = 1000) -> None:
        self._guard = guard
        self._pools = Pools(store, catalogue, guard, limit=limit)
        self._tables = Tables(store, catalogue, guard, self._pools, limit=limit)
        self._observers: WeakKeyDictionary[BaseDatabaseWrapper, Observer] = WeakKeyDictionary()
        self._original: Any = None
        self._replacement: Any = None

    def install(self) -> None:
        """See every connection wrapper: those that exist, in any thread, and those to come. Idempotent."""
        if self._replacement is not None:
            return
        original = self._original = BaseDatabaseWrapper.__init__

        @wraps(original)
        def init(db: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> None:
            original(db, *args, **kwargs)
            self._attach(db)

        # The one place that every wrapper passes: `connections` of any thread, copies, and those
        # that Django makes beside them (`_nodb_cursor`).
        self._replacement = init
        BaseDatabaseWrapper.__init__ = self._replacement  # type: ignore[method-assign]
        watch_cursors(self)
        for db in _existing():
            self._attach(db)

    def uninstall(self) -> None:
        """Leave every connection wrapper as it was found. Idempotent."""
        if self._replacement is None:
            return
        if BaseDatabaseWrapper.__init__ is self._replacement:
            BaseDatabaseWrapper.__init__ = self._original  # type: ignore[method-assign]
        self._replacement = self._original = None
        leave_cursors(self)
        for db, observer in list(self._observers.items()):
            observer.detach(db)
        self._observers.clear()

    def leave(self, db: BaseDatabaseWrapper) -> None:
        """Count nothing of this connection wrapper from now on: its work is ours, not the site's."""
        observer = self._observers.pop(db, None)
        if observer is not None:
            observer.detach(db)

    def publish(self) -> None:
        """Store how full this process's connection pools are; never raises."""
        self._pools.publish()

    def _attach(self, db: BaseDatabaseWrapper) -> None:
        try:
            if self._replacement is not None and db not in self._observers:
                self._observers[db] = observer = Observer(self._tables, db.alias, db.vendor)
                observer.attach(db)
                watch_cursors(self)
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("db.attach", exc)


def _existing() -> Iterable[BaseDatabaseWrapper]:
    found = list(connections.all(initialized_only=True))
    if threading.active_count() > 1:
        # `connections` shows each thread its own; `type()`, for isinstance would wake lazy objects.
        found += [thing for thing in gc.get_objects() if issubclass(type(thing), BaseDatabaseWrapper)]
    return found
