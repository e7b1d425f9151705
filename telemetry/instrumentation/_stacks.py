"""Exceptions without their messages: types, files, lines and functions, of the exception or of its formatted stack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import TracebackType

_FRAMES = 100
"""Frames of a stack that are told, the innermost ones; a recursion without end has a thousand."""
_EXCEPTIONS = 10
"""Exceptions of a chain or a group that are told."""

_NAME = r"(?:[^\W\d]\w*+|<locals>|<lambda>)"
# A message has as many lines as it likes.
_TYPE = re.compile(rf"({_NAME}(?:\.{_NAME})*+)(?::.*)?", re.DOTALL)
_FRAME = re.compile(r'\s+File ".*", line [0-9]+, in \S+')
_TRACEBACK = "Traceback (most recent call last):"
_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"


def type_in(text: str) -> str | None:
    """The type in `type: message` or `type`; None in all other texts."""
    found = _TYPE.fullmatch(text)
    return None if found is None else found[1]


def type_of(error: BaseException) -> str:
    """An exception's type as OpenTelemetry names it, with its module if that is not `builtins`."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def stack(error: BaseException) -> str:
    """Where it was raised, and what from, as files, lines and functions: no message, and no line of source."""
    return "\n".join(_stack(error, [_EXCEPTIONS], set()))


def frames(stacktrace: str) -> Iterator[str]:
    """What `stack` gives, from a stack as Python formats it."""
    type_is_next = True
    for line in stacktrace.splitlines():
        if line in (_TRACEBACK, _CAUSE, _CONTEXT):
            type_is_next = True
            yield line
        elif _FRAME.fullmatch(line):
            yield line
        elif type_is_next and line[:1].strip():
            type_is_next = False  # whatever it is: what comes behind is the message's
            kind = type_in(line)
            if kind is not None:
                yield kind


def _stack(error: BaseException, left: list[int], seen: set[int]) -> Iterator[str]:
    left[0] -= 1
    if left[0] < 0 or id(error) in seen:
        return
    seen.add(id(error))
    if error.__cause__ is not None:
        yield from _stack(error.__cause__, left, seen)
        yield _CAUSE
    elif error.__context__ is not None and not error.__suppress_context__:
        yield from _stack(error.__context__, left, seen)
        yield _CONTEXT
    raised = list(_frames(error.__traceback__))
    if raised:
        yield _TRACEBACK
        yield from raised[-_FRAMES:]
    yield type_of(error)
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _stack(inner, left, seen)


def _frames(traceback: TracebackType | None) -> Iterator[str]:
    while traceback is not None:
        code = traceback.tb_frame.f_code
        yield f'  File "{code.co_filename}", line {traceback.tb_lineno}, in {code.co_name}'
        traceback = traceback.tb_next
