"""Where the ORM writes: three private compilers of Django, known to this file alone.

Whatever its way (save, bulk and queryset methods, the collector's cascades, the admin, the async variants),
every INSERT, UPDATE and DELETE of the ORM is sent by one compiler class each, which knows the model, and
comes back with the rows. Seen are Django 5.2 to 6.1; `test_models_seams.py` fails where they move. A backend
whose own compiler does not call Django's is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, Generic, TypeVar

from django.db.models.constants import OnConflict
from django.db.models.sql.compiler import SQLDeleteCompiler, SQLInsertCompiler, SQLUpdateCompiler
from django.db.models.sql.constants import NO_RESULTS, ROW_COUNT

_T = TypeVar("_T")
_COUNTED = "_telemetry_counted"


class Writes(Generic[_T]):
    """Watches the compilers from `install()` to `uninstall()`.

    `interest` tells from a compiler what its statement is of interest for, None for nothing: then nothing
    more is done. `inserted`, `updated` and `deleted` are told that and, as a callable that may raise, the
    number of rows, after the statement has succeeded. None of the four may raise.
    """

    def __init__(
        self,
        interest: Callable[[Any], _T | None],
        inserted: Callable[[_T, Callable[[], int]], None],
        updated: Callable[[_T, Callable[[], int]], None],
        deleted: Callable[[_T, Callable[[], int]], None],
    ) -> None:
        self._interest = interest
        self._inserted = inserted
        self._updated = updated
        self._deleted = deleted
        self._patches: list[_Patch] = []

    def install(self) -> None:
        """See every write from now on. Idempotent."""
        if self._patches:
            return
        self._patches = [
            _Patch(SQLInsertCompiler, "execute_sql", self._insert),
            _Patch(SQLUpdateCompiler, "execute_sql", self._update),
            _Patch(SQLDeleteCompiler, "execute_sql", self._delete),
        ]
        if hasattr(SQLUpdateCompiler, "execute_returning_sql"):  # since Django 6.0
            self._patches.append(_Patch(SQLUpdateCompiler, "execute_returning_sql", self._update_returning))

    def uninstall(self) -> None:
        """Leave the compilers as they were found. Idempotent."""
        for patch in self._patches:
            patch.undo()
        self._patches = []

    def _insert(self, execute: Callable[..., Any], compiler: Any, *args: Any, **kwargs: Any) -> Any:
        interest = self._interest(compiler)
        if interest is None:
            return execute(compiler, *args, **kwargs)
        if getattr(compiler.query, "on_conflict", None) is not OnConflict.IGNORE:
            result = execute(compiler, *args, **kwargs)
            self._inserted(interest, lambda: len(compiler.query.objs))
            return result
        with _affected(compiler.connection) as rows:
            result = execute(compiler, *args, **kwargs)
        self._inserted(interest, lambda: sum(rows))
        return result

    def _update(self, execute: Callable[..., Any], compiler: Any, result_type: Any, *args: Any, **kwargs: Any) -> Any:
        interest = self._interest(compiler)
        if interest is None:
            return execute(compiler, result_type, *args, **kwargs)
        asked = ROW_COUNT if result_type == NO_RESULTS else result_type
        result = execute(compiler, asked, *args, **kwargs)
        compiler.__dict__[_COUNTED] = True
        # Without values of its own, the statement was for the tables of parents, whose compilers have told.
        self._updated(interest, lambda: result if compiler.query.values else 0)
        return result

    def _update_returning(self, execute: Callable[..., Any], compiler: Any, *args: Any, **kwargs: Any) -> Any:
        rows = execute(compiler, *args, **kwargs)
        interest = self._interest(compiler)
        if interest is not None and _COUNTED not in compiler.__dict__:
            self._updated(interest, lambda: len(rows))
        return rows

    def _delete(self, execute: Callable[..., Any], compiler: Any, *args: Any, **kwargs: Any) -> Any:
        result = execute(compiler, *args, **kwargs)
        interest = self._interest(compiler)
        if interest is not None:
            self._deleted(interest, lambda: result or 0)
        return result


class _Patch:
    """One method of a class, replaced until it is undone; a method that the class inherits stays inherited."""

    def __init__(self, owner: type, name: str, around: Callable[..., Any]) -> None:
        self._owner = owner
        self._name = name
        self._own = own = owner.__dict__.get(name)
        self._undone = False

        def inherited(compiler: Any, *args: Any, **kwargs: Any) -> Any:
            # By the instance's own order: a backend puts its compiler between the two.
            return getattr(super(owner, compiler), name)(*args, **kwargs)

        execute = inherited if own is None else own

        @wraps(getattr(owner, name))
        def replacement(compiler: Any, *args: Any, **kwargs: Any) -> Any:
            if self._undone:
                return execute(compiler, *args, **kwargs)
            return around(execute, compiler, *args, **kwargs)

        self._replacement = replacement
        setattr(owner, name, replacement)

    def undo(self) -> None:
        self._undone = True
        if self._owner.__dict__.get(self._name) is not self._replacement:
            return  # somebody has wrapped ours, and goes on calling it
        if self._own is None:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self._own)


@contextmanager
def _affected(connection: Any) -> Iterator[list[int]]:
    """The rows that each statement of the block has written, as the database reports them."""
    rows: list[int] = []

    def wrapper(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        result = execute(sql, params, many, context)
        with suppress(Exception):
            rows.append(max(0, context["cursor"].rowcount))
        return result

    with connection.execute_wrapper(wrapper):
        yield rows
