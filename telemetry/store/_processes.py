"""Who a process is, beyond a pid that is reused; whether it is surely dead; whose worker it is."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Owner:
    """A process: pid, start time in clock ticks since boot, pid namespace, boot id (0 and "" where unknown)."""

    pid: int
    ticks: int = 0
    namespace: int = 0
    boot: str = ""


@dataclass(frozen=True, slots=True)
class _Stat:
    """The fields of proc_pid_stat(5) that tell processes apart; `stack` is 0 where it may not be seen."""

    state: str
    parent: int
    threads: int
    ticks: int
    stack: int


def current() -> Owner:
    """This process."""
    return owner_of(os.getpid())


def owner_of(pid: int) -> Owner:
    """The process of this pid in our own pid namespace."""
    stat = _stat(pid)
    return Owner(pid, stat.ticks if stat else 0, _namespace(), boot_id())


def boot_id() -> str:
    """What tells one boot of this machine from the next; empty where unknown."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def surely_dead(owner: Owner) -> bool:
    """Whether this process cannot live any more; False in every doubt."""
    boot = boot_id()
    if owner.boot and boot and owner.boot != boot:
        return True
    if owner.pid <= 0 or owner.namespace != _namespace():
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # it exists and belongs to somebody else
    stat = _stat(owner.pid)
    if stat is None:
        return False
    # a main thread that has ended is a zombie while the other threads may go on
    return (stat.state in "ZX" and stat.threads <= 1) or bool(owner.ticks and stat.ticks != owner.ticks)


def parent_of(owner: Owner) -> int:
    """The pid of the parent of a process in our own pid namespace; 0 where unknown."""
    stat = _stat(owner.pid) if owner.namespace == _namespace() else None
    return stat.parent if stat else 0


def anchor() -> Owner | None:
    """The parent that made this process as one of its workers, and will make the next one; None without.

    That is the parent known to `multiprocessing`, or one that this process was forked from without an
    exec (the same stack address, which an exec draws anew), or one that started its own command line
    again (a reloader). A shell, an init or a launcher that merely shares the interpreter is none.
    Where the parent may not be looked at, one of our own process group counts.
    """
    module = sys.modules.get("multiprocessing.process")
    parent = module.parent_process() if module else None
    if parent is not None and parent.pid:
        return owner_of(parent.pid)
    pid = os.getppid()
    return owner_of(pid) if pid > 0 and _made_us(pid) else None


def _made_us(parent: int) -> bool:
    try:
        if (_PROC / str(parent) / "exe").readlink() != (_PROC / "self/exe").readlink():
            return False
        theirs, ours = _stat(parent), _stat(os.getpid())
        if theirs and ours and theirs.stack and theirs.stack == ours.stack:
            return True
        return _arguments(parent) == _arguments(os.getpid())
    except OSError:
        try:
            return os.getpgid(parent) == os.getpgrp()
        except OSError:
            return False


def _arguments(pid: int) -> list[bytes]:
    """The command line without the interpreter, which a reloader spells with its full path."""
    return (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")[1:]


def _namespace() -> int:
    try:
        return (_PROC / "self/ns/pid").stat().st_ino
    except OSError:
        return 0


def _stat(pid: int) -> _Stat | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
        # the name, in parentheses, may itself hold spaces and parentheses
        fields = text.rpartition(")")[2].split()
        return _Stat(fields[0], int(fields[1]), int(fields[17]), int(fields[19]), int(fields[25]))
    except (OSError, ValueError, IndexError):
        return None
