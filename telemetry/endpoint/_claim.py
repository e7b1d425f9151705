"""The right to answer for a service, held by one of its processes until it dies."""

from __future__ import annotations

import os
from pathlib import Path

try:
    import fcntl
except ModuleNotFoundError:  # no file locks on this system
    fcntl = None  # type: ignore[assignment]

_NAME = "endpoint"


class Claim:
    """A lock on a file that all processes of the service see, in which the holder notes its port.

    Without a directory, or where the file cannot be had, everybody's claim is granted, and the bind decides.
    """

    def __init__(self, directory: Path | None) -> None:
        self._fd = -1
        if directory is None or fcntl is None:
            return
        try:
            self._fd = os.open(directory / _NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError:
            return

    @property
    def shared(self) -> bool:
        """Whether who holds the claim knows that no other process of the service does."""
        return self._fd >= 0

    def take(self) -> bool:
        """Whether this process has the claim now."""
        if self._fd < 0:
            return True
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            self.release()
        return True

    def tell(self, port: int) -> None:
        """Note where this process answers; 0 for nowhere."""
        if self._fd >= 0:
            os.pwrite(self._fd, b"%5d\n" % port, 0)

    def told(self) -> int | None:
        """Where the holder answers, or the last one did; None where nobody is known to."""
        noted = os.pread(self._fd, 5, 0) if self._fd >= 0 else b""
        return int(noted) or None if noted.strip().isdigit() else None

    def release(self) -> None:
        """Close the file: the lock goes with its last copy."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
