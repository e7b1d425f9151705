"""The one guard between our failures and the application: count, log once, go on."""

from __future__ import annotations

import logging

from telemetry.catalogue.own import DROPPED
from telemetry.instrumentation.privacy import stack
from telemetry.limit import OVERFLOWED
from telemetry.spec import OVERFLOW
from telemetry.store import Store

_logger = logging.getLogger("telemetry")
_LONGEST = 256
"""Characters of a label value; what is beyond is cut off."""


class Guard:
    """Where every recording function takes its own exceptions: `except Exception as exc: guard.failed(...)`."""

    def __init__(self, store: Store) -> None:
        self._dropped = store.table(DROPPED)
        self._overflow = store.table(OVERFLOWED)
        self._logged: set[str] = set()

    def failed(self, where: str, exc: BaseException) -> None:
        """Count a lost measurement under the constant `where`; log the first of each. Never raises."""
        try:
            if where not in self._logged:
                self._logged.add(where)
                # Not `exc_info`: the message of an exception may hold what is the application's alone.
                _logger.error(
                    "telemetry: %s failed; counted in telemetry_dropped_total, logged once\n%s", where, stack(exc)
                )
            self._dropped.add((where,))
        except Exception:  # noqa: BLE001, S110  # nothing is left to be done, and the application must go on
            pass

    def overflowed(self, stream: str) -> None:
        """Count a measurement of `stream` whose label value was replaced; log the first of each. Never raises."""
        try:
            if stream not in self._logged:
                self._logged.add(stream)
                _logger.warning("telemetry: %s has too many values; new ones are counted as one, logged once", stream)
            self._overflow.add((stream,))
        except Exception as exc:  # noqa: BLE001
            self.failed("own.overflow", exc)


class Bounded(dict[str, str]):
    """Label values that the application makes: cleaned once, and no more than `limit` different ones a process.

    Called, or asked by subscript, which is quicker, it gives the value to record: the given one, or the overflow
    value once `limit` others are known.
    """

    def __init__(self, stream: str, limit: int, guard: Guard) -> None:
        self._stream = stream
        self._limit = limit
        self._guard = guard

    def __call__(self, value: str) -> str:
        return self[value]

    def __missing__(self, value: str) -> str:
        if len(self) >= self._limit:
            self._guard.overflowed(self._stream)
            return OVERFLOW
        clean = self[value] = value[:_LONGEST].encode("utf-8", "replace").decode()
        return clean
