"""One thread a process that tries, again and again, to be the one process that does some work."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from abc import ABC, abstractmethod
from typing import Any
from weakref import WeakSet

from django.core.signals import request_started

_logger = logging.getLogger("telemetry")


class Election(ABC):
    """Stands for election in this process, once started.

    A process that forks within `settling` seconds of its start is taken for the master of a pre-fork server (as
    gunicorn's under `--preload`): its thread ends before the fork, its children start their own, and it stands
    again only if it turns out to serve requests itself.
    """

    settling = 1.0
    """How long a process waits before it first tries, in seconds."""
    pause = 3.0
    """How long a loser waits for the next try, in seconds, more or less by a third."""

    def __init__(self) -> None:
        self._pid = 0
        self._master = False
        self._since = 0.0
        self._won = False
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._failed = False
        _watched.add(self)

    @abstractmethod
    def seek(self) -> bool:
        """Try to become the one that does the work."""

    @abstractmethod
    def work(self) -> None:
        """A piece of the winner's work, of a second at most."""

    @abstractmethod
    def resign(self) -> None:
        """Undo what `seek` has done, be it won or lost."""

    @abstractmethod
    def disown(self) -> None:
        """In a forked child: let go of what the parent has won, without a word to others."""

    def start(self, *, now: bool = False) -> None:
        """Stand for election from now on; with `now`, the first try is over when this returns."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._since = time.monotonic()
        self._stopped = threading.Event()
        wait = self._turn() if now else self.settling
        self._thread = threading.Thread(
            target=self._run, args=(self._stopped, wait), name="telemetry-endpoint", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread and let go of what was won."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None
        self.resign()
        self._won, self._pid = False, 0

    def _run(self, stopped: threading.Event, wait: float) -> None:
        while not stopped.wait(wait):
            wait = self._turn()

    def _turn(self) -> float:
        """Seek or work once; how long to wait for the next turn."""
        try:
            self._won = self._won or self.seek()
            if self._won:
                self.work()
                return 0.0
        except Exception:
            self._won = False
            self.resign()
            if not self._failed:
                self._failed = True
                _logger.exception("telemetry: %s failed, and is tried again", type(self).__name__)
        return self.pause * random.uniform(2 / 3, 4 / 3)  # noqa: S311 - so that losers do not come all at once

    def _before_fork(self) -> None:
        if self._pid == os.getpid() and time.monotonic() - self._since < self.settling:
            self.stop()
            self._master = True
            request_started.connect(self._serves)

    def _after_fork_in_child(self) -> None:
        of_master = self._master
        self.disown()
        self._pid, self._master, self._won, self._thread = 0, False, False, None
        if of_master:
            request_started.disconnect(self._serves)
            self.start()

    def _serves(self, **_: Any) -> None:
        request_started.disconnect(self._serves)
        self._master = False
        self.start()


_watched: WeakSet[Election] = WeakSet()


def _before_fork() -> None:
    for election in list(_watched):
        election._before_fork()


def _after_fork_in_child() -> None:
    for election in list(_watched):
        election._after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
