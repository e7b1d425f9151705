"""The embedded broker: kombu's messages in a folder, made safe where several processes use it at once.

kombu's own transport lets a message be seen before it is written, and a worker that reads it then ends; the
same of the list of an exchange's queues. What is overridden here is private to kombu: a test holds it to that.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

_T = TypeVar("_T")
_TRIES = 100
_PAUSE = 0.01


class Channel(filesystem.Channel):
    """Messages appear under their name when they are complete."""

    # kombu's classes do not agree with each other about this one.
    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        name = f"{time.monotonic_ns():020}_{uuid.uuid4()}.{queue}.msg"
        # Of another ending, which nobody looks for.
        unfinished = folder / f"{name}.part"
        unfinished.write_text(dumps(message))
        unfinished.replace(folder / name)

    def get_table(self, exchange: str) -> Any:
        return _patiently(lambda: super(Channel, self).get_table(exchange))

    def _queue_bind(self, exchange: str, routing_key: Any, pattern: Any, queue: str) -> None:
        _patiently(lambda: super(Channel, self)._queue_bind(exchange, routing_key, pattern, queue))


class Transport(filesystem.Transport):
    """kombu's transport with these channels."""

    Channel = Channel


def install() -> None:
    """Have `filesystem://` mean this transport, in this process."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:{Transport.__name__}"


def _patiently(read: Callable[[], _T]) -> _T:
    """What `read` gives once no other process has the file half written, which is no JSON."""
    for _ in range(_TRIES):
        try:
            return read()
        except ValueError:
            time.sleep(_PAUSE)
    return read()
