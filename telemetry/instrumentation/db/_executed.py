"""Statements that Django's cursors execute, seen next to the driver.

By a method in the place of `CursorWrapper._execute_with_wrappers`. As a member of `execute_wrappers` ours would have
to be the innermost wherever the application puts its own, and cost twice as much.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from time import perf_counter
from types import FunctionType
from typing import Any

from django.db.backends import utils
from django.db.backends.utils import CursorWrapper
from django.db.transaction import TransactionManagementError

from telemetry.instrumentation.db._bulk import counted

_Method = Callable[..., Any]
_NAME = "_execute_with_wrappers"


def _watched(call: _Method) -> _Method:
    """The method, telling the observers of the cursor's connection wrapper what is executed.

    Inside all execute wrappers: what one refuses, repeats or answers by itself is counted as it was executed.
    """

    # Another's method is called: it may do more than Django's.
    others = type(call) is not FunctionType or call.__globals__ is not vars(utils)

    @wraps(call)
    def _execute_with_wrappers(self: Any, sql: Any, params: Any, many: Any, executor: _Method) -> Any:
        db = self.db
        try:
            observers = db.telemetry_observers
        except AttributeError:
            return call(self, sql, params, many, executor)
        if many or others or db.execute_wrappers:
            return call(self, sql, params, many, _observed(self, observers, executor))
        # All that Django does where there is no wrapper.
        context = {"connection": db, "cursor": self}
        start = perf_counter()
        try:
            result = executor(sql, params, many, context)
        except BaseException as exc:
            _failed(self, observers, sql, perf_counter() - start, None, exc)
            raise
        elapsed = perf_counter() - start
        for observer in observers:
            observer.record(self, sql, elapsed)
        return result

    return _execute_with_wrappers


def _observed(cursor: Any, observers: Any, executor: _Method) -> _Method:
    """The innermost call, with what the wrappers around it make of a statement."""

    def execute(sql: Any, params: Any, many: Any, context: Any) -> Any:
        rows = None
        if many:
            params, rows = counted(params)
        start = perf_counter()
        try:
            result = executor(sql, params, many, context)
        except BaseException as exc:
            _failed(cursor, observers, sql, perf_counter() - start, rows, exc)
            raise
        elapsed = perf_counter() - start
        for observer in observers:
            observer.record(cursor, sql, elapsed, rows)
        return result

    return execute


def _failed(
    cursor: Any, observers: Any, sql: Any, elapsed: float, rows: Callable[[], int] | None, exception: BaseException
) -> None:
    # Django refuses a statement in a broken transaction before it gets to the driver.
    if not isinstance(exception, TransactionManagementError):
        for observer in observers:
            observer.record(cursor, sql, elapsed, rows, exception)


_placed: list[tuple[_Method, _Method]] = []
"""The method that was found, and ours in its place."""


def watch_executed() -> None:
    """Tell observers from now on what cursors execute."""
    if not _placed:
        found = getattr(CursorWrapper, _NAME)
        ours = _watched(found)
        setattr(CursorWrapper, _NAME, ours)
        _placed.append((found, ours))


def leave_executed() -> None:
    """Leave Django's class as it was found; if another's method has come around ours, that stays and tells nobody."""
    for found, ours in _placed:
        if vars(CursorWrapper)[_NAME] is ours:
            setattr(CursorWrapper, _NAME, found)
            _placed.clear()
