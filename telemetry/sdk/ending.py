"""What is to leave a process before it ends, and how long that may take altogether.

`end` is for servers that do not let Python's exit hooks run: uvicorn ends itself by the signal that ended it,
once the application's lifespan is over.
"""

from __future__ import annotations

import time
from typing import Protocol
from weakref import WeakSet

SECONDS = 2.0
"""How long the end of a process waits for receivers, however many of them hang."""
_SPANS = 0.75
"""The share of it that spans may take: what is lost of them stands among the metrics, which go last."""


class Exporting(Protocol):
    """What has something to send."""

    def stop(self) -> None:
        """Send what is there before the deadline, and end the thread; what comes later begins anew."""


_exporting: WeakSet[Exporting] = WeakSet()
_began: float | None = None


def watch(exporting: Exporting) -> None:
    """Have `end` stop this too, as long as it exists."""
    _exporting.add(exporting)


def end() -> None:
    """Send all that waits in this process, spans first, for 2 seconds at most; never raises."""
    for exporting in sorted(_exporting, key=lambda each: type(each).__name__):
        exporting.stop()


def deadline(*, spans: bool = False) -> float:
    """Until when (`time.monotonic`) what is stopped now may take; the first to ask begins the end."""
    global _began
    if _began is None:
        _began = time.monotonic()
    return _began + SECONDS * (_SPANS if spans else 1)


def go_on() -> None:
    """Something begins to export: the end that there was, of a lifespan or of the parent process, was not the last."""
    global _began
    _began = None


def remaining(until: float) -> float:
    """Seconds until then, not less than 0."""
    return max(0.0, until - time.monotonic())
