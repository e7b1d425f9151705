"""What a project's own engine is built of, as in django-prometheus; the counting is done for every engine already."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper as _Base
else:
    _Base = object

_Cursor = TypeVar("_Cursor")


class ExceptionCounterByType:
    """While the block runs: count what it raises, in a counter with a label for the exception's type.

    `counter` is any with the face of prometheus_client's; `extra_labels` are its other labels.
    """

    def __init__(self, counter: Any, type_label: str = "type", extra_labels: Mapping[str, str] | None = None) -> None:
        self._counter = counter
        self._type_label = type_label
        self._labels = dict(extra_labels or {})

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, exception: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._counter.labels(**self._labels, **{self._type_label: kind.__name__}).inc()


class DatabaseWrapperMixin(_Base):
    """Before a backend's `DatabaseWrapper` among the bases: has its cursors be of `CURSOR_CLASS`, if there is one."""

    def create_cursor(self, name: str | None = None) -> Any:
        """A cursor of the driver's connection; `name` is for a server-side one."""
        cursor_class = getattr(self, "CURSOR_CLASS", None)
        if cursor_class is None:
            return super().create_cursor(name)
        return self.connection.cursor(factory=cursor_class)


def ExportingCursorWrapper(cursor_class: type[_Cursor], alias: str, vendor: str) -> type[_Cursor]:
    """The class itself: what its cursors execute for Django is counted already."""
    return cursor_class
