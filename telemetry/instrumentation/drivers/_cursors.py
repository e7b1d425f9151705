"""Subclasses of the drivers' cursor classes: their queries have spans."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from functools import lru_cache, wraps
from typing import Any

from telemetry.instrumentation.drivers._tracing import Tracing

_Method = Callable[..., Any]
Spanned = Callable[[_Method, Tracing], _Method]
"""Makes a method with spans of one without."""


def at_once(call: _Method, tracing: Tracing) -> _Method:
    """A query that has ended when the method returns."""
    silent, begin, end = tracing.silent, tracing.begin, tracing.end

    @wraps(call)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if silent():
            return call(self, *args, **kwargs)
        query, args = begin(self, args, kwargs)
        try:
            result = call(self, *args, **kwargs)
        except BaseException as error:
            end(query, error)
            raise
        end(query, None)
        return result

    return method


def copied(call: _Method, tracing: Tracing) -> _Method:
    """A COPY whose statement the driver makes by itself; it has ended when the method returns."""

    @wraps(call)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        query = None if tracing.silent() else tracing.begin_copy(self)
        try:
            result = call(self, *args, **kwargs)
        except BaseException as error:
            tracing.end(query, error)
            raise
        tracing.end(query, None)
        return result

    return method


def awaited(call: _Method, tracing: Tracing) -> _Method:
    """A query that has ended when the coroutine has."""

    @wraps(call)
    async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if tracing.silent():
            return await call(self, *args, **kwargs)
        query, args = tracing.begin(self, args, kwargs)
        try:
            result = await call(self, *args, **kwargs)
        except BaseException as error:
            tracing.end(query, error)
            raise
        tracing.end(query, None)
        return result

    return method


def until_left(call: _Method, tracing: Tracing) -> _Method:
    """A query that lasts as long as the block that the returned context manager is for."""

    @contextmanager
    def block(self: Any, args: Any, kwargs: Any) -> Iterator[Any]:
        with _lasting(tracing, self, args, kwargs) as args, call(self, *args, **kwargs) as entered:
            yield entered

    return _unless_silent(call, tracing, block)


def until_left_async(call: _Method, tracing: Tracing) -> _Method:
    """The same for an asynchronous block."""

    @asynccontextmanager
    async def block(self: Any, args: Any, kwargs: Any) -> AsyncIterator[Any]:
        with _lasting(tracing, self, args, kwargs) as args:
            async with call(self, *args, **kwargs) as entered:
                yield entered

    return _unless_silent(call, tracing, block)


def until_read(call: _Method, tracing: Tracing) -> _Method:
    """A query that lasts until the last row is taken, or nobody wants another."""

    def rows(self: Any, args: Any, kwargs: Any) -> Iterator[Any]:
        with _lasting(tracing, self, args, kwargs) as args:
            yield from call(self, *args, **kwargs)

    return _unless_silent(call, tracing, rows)


def until_read_async(call: _Method, tracing: Tracing) -> _Method:
    """The same for asynchronous rows."""

    async def rows(self: Any, args: Any, kwargs: Any) -> AsyncIterator[Any]:
        with _lasting(tracing, self, args, kwargs) as args:
            async with aclosing(call(self, *args, **kwargs)) as found:
                async for row in found:
                    yield row

    return _unless_silent(call, tracing, rows)


@contextmanager
def _lasting(tracing: Tracing, cursor: Any, args: Any, kwargs: Any) -> Iterator[Any]:
    # Not the current span: meanwhile the application does its own work.
    query, args = tracing.begin(cursor, args, kwargs, current=False)
    try:
        yield args
    except BaseException as error:
        tracing.end(query, error)
        raise
    tracing.end(query, None)


def _unless_silent(call: _Method, tracing: Tracing, spanned: _Method) -> _Method:
    @wraps(call)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return call(self, *args, **kwargs) if tracing.silent() else spanned(self, args, kwargs)

    return method


class Traced:
    """Makes cursor classes with spans of those without, one of each; `methods` are the driver's, by name."""

    def __init__(self, tracing: Tracing, methods: Mapping[str, Spanned]) -> None:
        self._tracing = tracing
        self._methods = methods
        # Bounded: an application may make a class for each connection.
        self._made: Callable[[Any], Any] = lru_cache(64)(self._make)

    def __call__(self, base: Any) -> Any:
        """The subclass of this class that has spans; anything else, and what has spans already, is given back.

        So is every class where no query has a span.
        """
        if self._tracing.drops_all or not isinstance(base, type) or issubclass(base, _Mark):
            return base
        return self._made(base)

    def _make(self, base: type) -> type:
        methods = {name: spanned(getattr(base, name), self._tracing) for name, spanned in self._methods.items()}
        about = {"__module__": base.__module__, "__qualname__": base.__qualname__, "__doc__": base.__doc__}
        return type(base.__name__, (base, _Mark), {**about, **methods})


class _Mark:
    __slots__ = ()


def untraced(cursor_class: Any) -> Any:
    """The class that a class with spans was made of; any other is given back."""
    return (
        cursor_class.__bases__[0]
        if isinstance(cursor_class, type) and issubclass(cursor_class, _Mark)
        else cursor_class
    )
