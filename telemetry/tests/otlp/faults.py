"""What a receiver may do wrong, and how it comes back."""

from __future__ import annotations

from collections.abc import Callable

from telemetry.tests.otlp.relay import Path
from telemetry.tests.otlp.sink import Sink


def _refuse(sink: Sink) -> None:
    sink.unavailable = True


def _turned(path: Path) -> Callable[[Sink], None]:
    return lambda sink: sink.turn(path)


FAULTS: dict[str, Callable[[Sink], None]] = {
    "away": _turned(Path.AWAY),
    "503": _refuse,
    "hanging": _turned(Path.HANGING),
    "cut": _turned(Path.CUT),
    "closing": _turned(Path.CLOSING),
}


def mend(sink: Sink) -> None:
    """Have all go well from now on; what is taken is acknowledged, for the connections are reset before."""
    sink.turn(Path.OPEN)
    sink.unavailable = False
