"""The right to push for the whole service, held by one process until it ends."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import RLock

from telemetry.store import _fork

try:
    from telemetry.store._locks import try_lock
except ModuleNotFoundError as missing:  # no file locks on this system: every process counts for itself
    if missing.name != "fcntl":
        raise
    try_lock = None  # type: ignore[assignment]

_NAME = "push.lock"
_PAUSE = 0.02
_DIGITS = 20
_STAYS, _ENDS = b" ", b"E"


class Election:
    """A lock on a file in the store's directory, which the kernel drops at the holder's death.

    `directory` tells the directory, or None where this process has a store of its own: it then speaks for
    itself and has always won. The file holds the time (`time.monotonic_ns`) at which the service was last
    read for a push that arrived, and whether the holder is about to end: what others have recorded before
    it says so is in its last push.
    """

    def __init__(self, directory: Callable[[], Path | None]) -> None:
        self._directory = directory
        self._lock = RLock()
        self._fd = -1
        _fork.watch(self)

    def won(self) -> bool:
        """Whether this process has the right now; tries to get it, without waiting."""
        with self._lock:
            try:
                path = self._path()
                if path is None:
                    return True
                if self._fd >= 0:
                    if _in_place(self._fd, path):
                        return True
                    self._close()
                self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
                if try_lock(self._fd) and _in_place(self._fd, path):
                    os.pwrite(self._fd, _STAYS, _DIGITS)
                    return True
            except OSError:
                pass
            self._close()
            return False

    def won_at_last(self, deadline: float) -> bool:
        """Whether a process that ends has to push: not where the holder goes on, and will.

        Waits for a holder that ends too, until `deadline` (`time.monotonic`).
        """
        while not self.won():
            if not self._holder_ends() or time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE)
        with self._lock, contextlib.suppress(OSError):
            if self._fd >= 0:
                os.pwrite(self._fd, _ENDS, _DIGITS)
        return True

    def resign(self) -> None:
        """Let another process have it."""
        with self._lock:
            self._close()

    @property
    def pushed(self) -> int:
        """When the service was last read for a push that arrived; 0 where that is not known. For the holder."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            return int(os.pread(self._fd, _DIGITS, 0)) if self._fd >= 0 else 0
        return 0

    @pushed.setter
    def pushed(self, when: int) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._fd >= 0:
                os.pwrite(self._fd, b"%0*d" % (_DIGITS, when), 0)

    def _path(self) -> Path | None:
        directory = self._directory() if try_lock is not None else None
        return None if directory is None else directory / _NAME

    def _holder_ends(self) -> bool:
        try:
            path = self._path()
            return path is not None and path.read_bytes()[_DIGITS:] == _ENDS
        except OSError:
            return False

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def before_fork(self) -> None:
        """Have no file half-way open while the process is copied."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """The right is the parent's: a copy of its file would hold it beyond the parent's death."""
        self._lock = RLock()
        self._close()


def _in_place(fd: int, path: Path) -> bool:
    """Whether an open file is still the one of its name: the directory may have been wiped."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False
