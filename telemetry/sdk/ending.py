"""What is to leave this process before it ends, for servers that do not let Python's exit hooks run.

uvicorn ends itself by the signal that ended it, once the application's lifespan is over.
"""

from __future__ import annotations

from typing import Protocol
from weakref import WeakSet


class Exporting(Protocol):
    """What has something to send."""

    def stop(self) -> None:
        """Send what is there, in bounded time, and end the thread; what comes later begins anew."""


_exporting: WeakSet[Exporting] = WeakSet()


def watch(exporting: Exporting) -> None:
    """Have `end` stop this too, as long as it exists."""
    _exporting.add(exporting)


def end() -> None:
    """Send all that waits in this process, each exporter for 2 seconds at most; never raises.

    Spans go first: what is lost of them stands among the metrics.
    """
    for exporting in sorted(_exporting, key=lambda each: type(each).__name__):
        exporting.stop()
