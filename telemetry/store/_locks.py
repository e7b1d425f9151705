"""Locks on open files: who lives, and who may change the directory.

On Linux these are open-file-description locks (fcntl(2), F_OFD_SETLK): they belong to the open file
and not to the process, so the kernel drops them at the last close, which is at the latest the death of
the owner, and `F_OFD_GETLK` asks without taking. Elsewhere they are flock(2)'s, which cannot be asked
without being taken.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from pathlib import Path

from telemetry.errors import StoreUnavailable

# struct flock: l_type, l_whence, l_start, l_len, l_pid, in native alignment
_FLOCK = "hhqqi0q"
_WHOLE_FILE = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
_PAUSE = 0.005

OPEN_FILE_LOCKS = hasattr(fcntl, "F_OFD_SETLK")
"""Whether this system has locks that can be asked without being taken."""


def try_lock(fd: int) -> bool:
    """Lock the file exclusively without waiting; False where another open file holds it.

    Raises:
        OSError: the file system has no locks.
    """
    try:
        if OPEN_FILE_LOCKS:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _WHOLE_FILE)
        else:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def is_locked(fd: int) -> bool | None:
    """Whether another open file holds the lock; None where that cannot be asked without taking it."""
    if not OPEN_FILE_LOCKS:
        return None
    answer = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _WHOLE_FILE))
    return bool(answer[0] != fcntl.F_UNLCK)


class DirectoryLock:
    """The right to change what is in the store's directory: attach, reap and reset hold it.

    Raises:
        StoreUnavailable: it stayed taken for `seconds`, or the file cannot be opened.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self._path = path
        self._seconds = seconds
        self._fd = -1

    def __enter__(self) -> None:
        deadline = time.monotonic() + self._seconds
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            while not try_lock(self._fd):
                if time.monotonic() >= deadline:
                    raise StoreUnavailable(f"{self._path}: still locked by another process after {self._seconds:g} s")
                time.sleep(_PAUSE)
        except BaseException as error:
            self.release()
            if isinstance(error, OSError):
                raise StoreUnavailable(f"{self._path}: {error.strerror or error}") from error
            raise

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Close the file, and the lock with it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
