"""Statements that Django's cursors pass to the driver without a word to its execute wrappers.

These are `callproc` of any driver, COPY of both PostgreSQL drivers, and `stream` of psycopg 3. They are
seen by descriptors in the class of Django's cursors, which ask the driver's cursor at each use: a cursor
lacks what its driver lacks, the driver's cursor itself is left alone, and nothing else costs more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from time import perf_counter
from typing import Any

from django.db import Error
from django.db.backends.utils import CursorWrapper

from telemetry.instrumentation.db._executed import leave_executed, watch_executed
from telemetry.instrumentation.db._observer import Observer, observers_of

_Method = Callable[..., Any]
_Record = Callable[[float, Any, BaseException | None], None]
_Watch = Callable[[_Method, _Record, str], _Method]


def _at_once(method: _Method, record: _Record, sql: str) -> _Method:
    """A statement that has ended when the method returns."""

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        start = perf_counter()
        try:
            result = method(*args, **kwargs)
        except BaseException as exc:
            # Django's own refusals never got to the driver; what it has wrapped has a cause.
            if not isinstance(exc, Error) or exc.__cause__ is not None:
                record(start, sql, exc)
            raise
        record(start, sql, None)
        return result

    return call


def _until_left(method: _Method, record: _Record, sql: str) -> _Method:
    """A statement that lasts as long as the block that the returned context manager is for."""

    @contextmanager
    def timed(block: Any) -> Iterator[Any]:
        start = perf_counter()
        try:
            with block as entered:
                yield entered
        except BaseException as exc:
            record(start, sql, exc)
            raise
        record(start, sql, None)

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        return timed(method(*args, **kwargs))

    return call


def _until_read(method: _Method, record: _Record, sql: str) -> _Method:
    """A statement that lasts until the last row is taken, or nobody wants another."""

    def timed(query: Any, rows: Iterator[Any]) -> Iterator[Any]:
        start = perf_counter()
        try:
            yield from rows
        except GeneratorExit:
            record(start, query, None)
            raise
        except BaseException as exc:
            record(start, query, exc)
            raise
        record(start, query, None)

    @wraps(method)
    def call(query: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        return timed(query, method(query, *args, **kwargs))

    return call


_COPY = "COPY "
_WATCHED: dict[str, tuple[str, _Watch]] = {
    "copy": ("psycopg", _until_left),
    "stream": ("psycopg", _until_read),
    "copy_expert": ("psycopg2", _at_once),
    "copy_from": ("psycopg2", _at_once),
    "copy_to": ("psycopg2", _at_once),
    "callproc": ("", _at_once),
}
"""The method's name; the driver that has it, empty for any; how long its statement lasts."""


class _Seen:
    """One of these methods in the class `holder`, whose own one is `own`; None where the driver's is passed on."""

    def __init__(self, name: str, own: Any) -> None:
        self.name = name
        self.own = own
        self._driver, self._watch = _WATCHED[name]

    def __get__(self, cursor: Any, holder: type) -> Any:
        if cursor is None and self.own is None:
            raise AttributeError(self.name)
        if cursor is None:
            return self.own
        method = getattr(cursor.cursor, self.name) if self.own is None else self.own.__get__(cursor, holder)
        observers, driver = observers_of(cursor.db), cursor.db.Database.__name__
        if not observers or self._driver not in ("", driver) or not hasattr(cursor.cursor, self.name):
            return method
        return self._watch(method, _recorder(cursor, observers), self._sql(driver))

    def _sql(self, driver: str) -> str:
        if self.name != "callproc":
            return _COPY
        # PostgreSQL's drivers select from the function.
        return "SELECT " if driver in ("psycopg", "psycopg2") else "CALL "


def _recorder(cursor: Any, observers: tuple[Observer, ...]) -> _Record:
    def record(start: float, sql: Any, exception: BaseException | None) -> None:
        elapsed = perf_counter() - start
        for observer in observers:
            observer.record(cursor, sql, elapsed, None, exception)

    return record


_wanted: set[int] = set()
_places: list[tuple[type, _Seen]] = []


def watch_cursors(owner: object) -> None:
    """See all statements until `owner` and all others have left. Again: see cursor classes imported since."""
    if not _wanted:
        watch_executed()
    _wanted.add(id(owner))
    _put(CursorWrapper, tuple(_WATCHED))
    backend = sys.modules.get("django.db.backends.postgresql.base")
    debug = getattr(backend, "CursorDebugWrapper", None)
    if debug is not None:  # it asks the driver's cursor itself
        _put(debug, tuple(name for name in _WATCHED if name in vars(debug)))


def leave_cursors(owner: object) -> None:
    """Leave Django's classes as they were found, if nobody else wants them watched."""
    _wanted.discard(id(owner))
    if _wanted:
        return
    leave_executed()
    while _places:
        holder, seen = _places.pop()
        if vars(holder).get(seen.name) is not seen:
            continue
        if seen.own is None:
            delattr(holder, seen.name)
        else:
            setattr(holder, seen.name, seen.own)


def _put(holder: type, names: tuple[str, ...]) -> None:
    for name in names:
        own = vars(holder).get(name)
        if not isinstance(own, _Seen):
            seen = _Seen(name, own)
            setattr(holder, name, seen)
            _places.append((holder, seen))
