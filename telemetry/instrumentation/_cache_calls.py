"""One call of a cache operation: what goes in, what comes out, and what is told about it.

A method is replaced by one that passes its arguments on and returns what it returns. Only the
default of `get` is exchanged for an object of our own, where the backend hands it back as it is:
so a cached None is told from a missing key.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Sized
from contextvars import ContextVar
from functools import wraps
from time import perf_counter
from types import FunctionType
from typing import Any, Protocol

from telemetry.catalogue.cache import ERROR, HIT, MISS, NO, OK, REFUSED, STORED

_OPERATIONS = (
    "get", "get_many", "set", "set_many", "add", "delete", "delete_many", "incr", "decr", "touch", "has_key", "clear",
)  # fmt: skip
OPERATIONS = {name: name for name in _OPERATIONS} | {f"a{name}": name for name in _OPERATIONS}
"""Methods of a cache to the operations that they are."""

_ANSWERS = {"add": (STORED, REFUSED), "delete": (HIT, MISS), "touch": (HIT, MISS), "has_key": (HIT, MISS)}
"""What an operation's True and False mean."""

_TRANSPARENT = ("django.core.cache.backends.", "django_redis.")
"""The modules whose `get` hands back any default as it is."""

_ABSENT = object()

_Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Call:
    """One outermost call. `keys` and `found` are those of `get_many`, `default` is that of `get`.
    `interrupted` is set where a backend swallows its exception, `by_hand` where it counts by itself."""

    interrupted = False
    by_hand = NO
    default: Any = None
    keys: Collection[Any] = ()
    found: Collection[Any] = ()

    def __init__(self, cache: Any, operation: str, outer: Call | None) -> None:
        self.cache = cache
        self.operation = operation
        self.outer = outer
        self.result = OK
        self.start = perf_counter()

    def raised(self, exception: BaseException) -> None:
        missing = self.operation in ("incr", "decr") and isinstance(exception, ValueError)
        self.result = MISS if missing else ERROR


class Owner(Protocol):
    """Who is told of calls; `current` is the innermost call of each context."""

    current: ContextVar[Call | None]

    def ended(self, call: Call) -> None:
        """The current call has ended. Must not raise."""


def replacement(owner: Owner, function: FunctionType, operation: str) -> Callable[..., Any]:
    """What stands in for a method of a cache class."""
    before, after = _shape(function, operation)
    current, ended = owner.current, owner.ended

    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def amethod(cache: Any, *args: Any, **kwargs: Any) -> Any:
            outer = current.get()
            if outer is not None and outer.cache is cache:
                return await function(cache, *args, **kwargs)
            call = Call(cache, operation, outer)
            current.set(call)
            try:
                if before is not None:
                    args, kwargs = before(call, args, kwargs)
                return after(call, await function(cache, *args, **kwargs))
            except BaseException as exception:
                call.raised(exception)
                raise
            finally:
                ended(call)

        return amethod

    @wraps(function)
    def method(cache: Any, *args: Any, **kwargs: Any) -> Any:
        outer = current.get()
        if outer is not None and outer.cache is cache:
            return function(cache, *args, **kwargs)
        call = Call(cache, operation, outer)
        current.set(call)
        try:
            if before is not None:
                args, kwargs = before(call, args, kwargs)
            return after(call, function(cache, *args, **kwargs))
        except BaseException as exception:
            call.raised(exception)
            raise
        finally:
            ended(call)

    return method


def _shape(
    function: FunctionType, operation: str
) -> tuple[Callable[[Call, tuple[Any, ...], dict[str, Any]], _Arguments] | None, Callable[[Call, Any], Any]]:
    """What is done with the arguments, and with what is returned."""
    if operation == "get":
        if function.__module__.startswith(_TRANSPARENT):
            return _exchange_default, _restore_default
        return _keep_default, _compare_default
    if operation == "get_many":
        return _keep_keys, _keep_found
    if operation in ("incr", "decr"):
        return None, _hit
    if operation == "set_many":
        return None, _judge_failed
    return None, _judge


def _exchange_default(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Arguments:
    if len(args) > 1:
        call.default = args[1]
        return (args[0], _ABSENT, *args[2:]), kwargs
    call.default = kwargs.get("default")
    kwargs["default"] = _ABSENT
    return args, kwargs


def _restore_default(call: Call, value: Any) -> Any:
    if value is _ABSENT:
        call.result = MISS
        return call.default
    call.result = HIT
    return value


def _keep_default(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Arguments:
    call.default = args[1] if len(args) > 1 else kwargs.get("default")
    return args, kwargs


def _compare_default(call: Call, value: Any) -> Any:
    call.result = MISS if value is call.default else HIT
    return value


def _keep_keys(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Arguments:
    keys = args[0] if args else kwargs.get("keys", ())
    if isinstance(keys, Iterable) and not isinstance(keys, Sized):
        keys = list(keys)
        if args:
            args = (keys, *args[1:])
        else:
            kwargs["keys"] = keys
    call.keys = keys
    return args, kwargs


def _keep_found(call: Call, value: Any) -> Any:
    call.found = value
    return value


def _hit(call: Call, value: Any) -> Any:
    call.result = HIT
    return value


def _judge_failed(call: Call, value: Any) -> Any:
    """`set_many` returns the keys that it could not set."""
    if isinstance(value, list) and value:
        call.result = ERROR
    return value


def _judge(call: Call, value: Any) -> Any:
    answers = _ANSWERS.get(call.operation)
    if answers is not None and isinstance(value, bool):
        call.result = answers[0] if value else answers[1]
    return value
