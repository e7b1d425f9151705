"""Where the files of a service's store are, and whether they can be there."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from telemetry.errors import StoreUnavailable

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made in there is checked to be ours
_MOUNTS = Path("/proc/self/mountinfo")
# no locks that tell of death, or no shared page cache, or other machines' pids
_REFUSED = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "ceph", "fuse.sshfs", "fuse.glusterfs"})


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory of a store. `owned` ones are made by us for this user alone; `temporary` ones go at exit."""

    path: Path
    owned: bool = False
    temporary: bool = False
    creator: int = field(default_factory=os.getpid)

    def prepare(self) -> None:
        """Make the directory if need be.

        Raises:
            StoreUnavailable: it cannot be made or used; the message names it and says why.
        """
        try:
            if self.temporary and not self.path.exists():
                self._make_temporary()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.path.stat(follow_symlinks=not self.owned)
        except OSError as error:
            raise StoreUnavailable(f"{self.path}: {error.strerror or error}") from error
        self._judge(found)

    def examine(self) -> None:
        """Look whether `prepare` and what follows it would go well, and make nothing.

        Raises:
            StoreUnavailable: they would not; the message names the place and says why.
        """
        there = self.path
        try:
            while not os.path.lexists(there) and there != there.parent:
                there = there.parent
            found = there.stat(follow_symlinks=not (self.owned and there == self.path))
        except OSError as error:
            raise StoreUnavailable(f"{there}: {error.strerror or error}") from error
        if there == self.path:
            self._judge(found)
        else:
            _check_place(there, found)
        lock = self.path / "lock"
        if not os.access(there, os.R_OK | os.W_OK | os.X_OK) or (
            lock.exists() and not os.access(lock, os.R_OK | os.W_OK)
        ):
            raise StoreUnavailable(f"{there}: user {os.geteuid()} may not write there")

    def _judge(self, found: os.stat_result) -> None:
        _check_place(self.path, found)
        if self.owned and (found.st_uid != os.geteuid() or found.st_mode & 0o022):
            raise StoreUnavailable(
                f"{self.path}: it belongs to user {found.st_uid} with mode {stat.S_IMODE(found.st_mode):o}; "
                f"it must belong to user {os.geteuid()} and be writable by nobody else"
            )

    def _make_temporary(self) -> None:
        if self.creator != os.getpid():
            raise StoreUnavailable(f"{self.path}: the process that made it has ended and taken it away")
        atexit.register(_remove, self.path, self.creator)


def locate(identity: Sequence[str]) -> Directory:
    """The directory that all processes of this user with this identity share, and no others.

    It is in shared memory where the system has that: no disk is waited for, and a reboot clears it.
    """
    digest = hashlib.sha256(json.dumps(list(identity)).encode()).hexdigest()[:16]
    base = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    return Directory(base / f"telemetry-{os.geteuid()}-{digest}", owned=True)


def private() -> Directory:
    """A directory for this process and its children alone; nothing of it is made before it is used."""
    name = f"telemetry-{os.getpid()}-{secrets.token_hex(8)}"
    return Directory(Path(tempfile.gettempdir()) / name, owned=True, temporary=True)


def _remove(path: Path, creator: int) -> None:
    if os.getpid() == creator:
        shutil.rmtree(path, ignore_errors=True)


def _check_place(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISDIR(found.st_mode):
        raise StoreUnavailable(f"{path}: it is not a directory")
    kind = _file_system(found.st_dev)
    if kind in _REFUSED:
        raise StoreUnavailable(f"{path}: it is on {kind}; give a directory on a local file system")


def _file_system(device: int) -> str:
    """The type of the mounted file system with this device number (proc_pid_mountinfo(5)); empty if unknown."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        for line in _MOUNTS.read_text(errors="replace").splitlines():
            if line.split()[2] == wanted:
                return line.partition(" - ")[2].split()[0]
    except (OSError, IndexError):
        pass
    return ""
