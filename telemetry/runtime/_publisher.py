"""The thread that publishes, every few seconds, what only its process can observe."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

SECONDS = 15.0
"""How often a process publishes."""


class Publisher:
    """One thread a process: a forked child begins its own.

    `work` is called again and again and must not raise; `failed` is told where no thread can be had.
    """

    def __init__(self, work: Callable[[], None], failed: Callable[[str, BaseException], None]) -> None:
        self._work = work
        self._failed = failed
        self._pid = 0

    @property
    def started(self) -> bool:
        """Whether this very process has the thread."""
        return self._pid == os.getpid()

    def start(self) -> None:
        """Start the thread if this process has none."""
        if self.started:
            return
        self._pid = os.getpid()
        thread = threading.Thread(target=self._run, name="telemetry-publisher", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no thread can be had, or the interpreter is ending
            self._failed("runtime.publisher", error)

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(SECONDS):
            self._work()
