"""A lock that a fork cannot leave locked: the child of a process starts with a fresh one."""

from __future__ import annotations

import os
import weakref
from threading import RLock
from types import TracebackType


class ForkLock:
    """A re-entrant lock, renewed in every forked child."""

    def __init__(self) -> None:
        self._lock = RLock()
        renew = weakref.WeakMethod(self._renew)

        def after_in_child() -> None:
            method = renew()
            if method is not None:
                method()

        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=after_in_child)

    def _renew(self) -> None:
        self._lock = RLock()

    def acquire(self, timeout: float = -1) -> bool:
        """Wait up to `timeout` seconds (-1: for ever); whether the lock is held now."""
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._lock.release()
