"""Django's connection pools for PostgreSQL (`OPTIONS: {"pool": ...}`): what they lend, and how full they are.

A pool is named by its alias: psycopg's own names are numbers that differ from process to process.
"""

from __future__ import annotations

import os
import threading
from typing import Any
from weakref import WeakSet

from django.db.backends.base.base import BaseDatabaseWrapper

from telemetry.catalogue.db import IDLE, USED, DbCatalogue
from telemetry.instrumentation.guard import Bounded, Guard
from telemetry.instrumentation.underway import exemplar
from telemetry.store import Store


def has_pool(db: BaseDatabaseWrapper) -> bool:
    """Whether Django's pool opens the connections and lends them; it, or Django without it, configures each once."""
    options = db.settings_dict.get("OPTIONS") or {}
    return bool(options.get("pool")) and hasattr(db, "_configure_connection")


class Pools:
    """The pools that this process has borrowed from."""

    def __init__(self, store: Store, catalogue: DbCatalogue, guard: Guard, *, limit: int) -> None:
        self._guard = guard
        self._wait = store.table(catalogue.pool_wait)
        self._wait_sampled = store.table(catalogue.pool_wait_sampled)
        self._timeouts = store.table(catalogue.pool_timeouts)
        self._count = store.table(catalogue.pool_count)
        self._max = store.table(catalogue.pool_max)
        self._pending = store.table(catalogue.pool_pending)
        self._name = Bounded("db.pool", limit, guard)
        self._lock = threading.Lock()
        self._forget()

    def lent(self, db: Any, seconds: float) -> None:
        """The pool has lent this connection wrapper a connection, after so many seconds."""
        try:
            pool = db.pool
            if pool is None:  # the wrapper for no database at all has none, whatever its settings
                return
            key = (self._name(db.alias),)
            self._wait.observe(key, seconds)
            kept = exemplar(seconds)
            if kept is not None:
                self._wait_sampled.observe(key, seconds, kept)
            with self._lock:
                if self._pid != os.getpid():
                    self._forget()
                self._pools[db.alias] = pool
                self._borrowers.add(db)
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("db.pool", exc)

    def refused(self, db: Any, exception: Exception) -> None:
        """The pool had no connection to lend."""
        try:
            if type(exception).__name__ == "PoolTimeout":
                self._timeouts.add((self._name(db.alias),))
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("db.pool", exc)

    def publish(self) -> None:
        """Store how full the pools are now; never raises."""
        try:
            with self._lock:
                # A forked child has copies of its parent's pools, and none of their connections.
                if self._pid != os.getpid():
                    return
                pools, borrowers = dict(self._pools), list(self._borrowers)
            for alias, pool in pools.items():
                stats = {} if pool.closed else pool.get_stats()
                name = self._name(alias)
                # Not the pool's size without the idle ones: that has those which are only being opened.
                used = sum(db.alias == alias and db.connection is not None for db in borrowers)
                self._count.put((name, IDLE), stats.get("pool_available", 0))
                self._count.put((name, USED), used)
                self._max.put((name,), stats.get("pool_max", 0))
                self._pending.put((name,), stats.get("requests_waiting", 0))
        except Exception as exc:  # noqa: BLE001
            self._guard.failed("db.pool", exc)

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._pools: dict[str, Any] = {}
        self._borrowers: WeakSet[Any] = WeakSet()
