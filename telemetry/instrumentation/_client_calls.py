"""The calls of an HTTP client under a stock instrumentation: what fails in that loses a span, never a call.

The stock wrapper stands between two of ours. The inner one keeps what came of the call, so that the outer one
can go on with it where the stock code raises: it reads what a server has sent (of urllib3 `Content-Length`, which
need not be a number).
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled
from opentelemetry.propagate import inject
from opentelemetry.trace import get_current_span
from wrapt import FunctionWrapper

from telemetry.instrumentation._stock import is_in

Carry = Callable[[Any, tuple[Any, ...], dict[str, Any]], tuple[tuple[Any, ...], dict[str, Any], Any]]
"""Gives a call's arguments and, in them, the headers that may be written to."""


class Outcome:
    """What came of one call."""

    __slots__ = ("answer", "answered", "error", "token")
    token: Token[Outcome | None]

    def __init__(self) -> None:
        self.answered = False
        self.answer: Any = None
        self.error: BaseException | None = None


_outcome: ContextVar[Outcome | None] = ContextVar("telemetry-client-call", default=None)


class Calls:
    """The calls of one library. `is_quick`: below a parent that is not sampled nobody needs to be asked."""

    def __init__(
        self, stock: Any, carry: Carry, failed: Callable[[str, BaseException], None], *, is_quick: bool
    ) -> None:
        self._stock = stock
        self._carry = carry
        self._is_quick = is_quick
        self.failed = failed
        self.active = True

    def begin(
        self, client: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Outcome | None, tuple[Any, ...], dict[str, Any]]:
        """Whether the stock code is to be asked, and the arguments to go on with; never raises."""
        try:
            if self.active and is_http_instrumentation_enabled() and not self._is_theirs(client, method):
                args, kwargs, headers = self._carry(client, args, kwargs)
                if not (self._is_quick and _is_dropped()):
                    outcome = Outcome()
                    outcome.token = _outcome.set(outcome)
                    return outcome, args, kwargs
                inject(headers)
        except Exception as error:  # noqa: BLE001
            self.failed("spans.clients", error)
        return None, args, kwargs

    def _is_theirs(self, client: Any, method: str) -> bool:
        """Whether somebody has switched the stock one on, for all or (`instrument_client`) for this one alone."""
        return isinstance(vars(client).get(method), FunctionWrapper) or is_in(self._stock)


def _is_dropped() -> bool:
    parent = get_current_span().get_span_context()
    return parent.is_valid and not parent.trace_flags.sampled


def kept(original: Any) -> Any:
    """The library's method, which keeps what comes of it; the stock code is put around this."""
    if iscoroutinefunction(original):

        @wraps(original)
        async def keep_async(*args: Any, **kwargs: Any) -> Any:
            outcome = _outcome.get() or Outcome()
            try:
                outcome.answer = await original(*args, **kwargs)
            except BaseException as error:
                outcome.error = error
                raise
            outcome.answered = True
            return outcome.answer

        return keep_async

    @wraps(original)
    def keep(*args: Any, **kwargs: Any) -> Any:
        outcome = _outcome.get() or Outcome()
        try:
            outcome.answer = original(*args, **kwargs)
        except BaseException as error:
            outcome.error = error
            raise
        outcome.answered = True
        return outcome.answer

    return keep


def guarded(original: Any, stock: Any, calls: Calls) -> Any:
    """The method that the application is to have: `stock`, which is around `kept(original)`, or `original` alone."""
    if iscoroutinefunction(original):

        @wraps(original)
        async def call_async(client: Any, *args: Any, **kwargs: Any) -> Any:
            outcome, args, kwargs = calls.begin(client, original.__name__, args, kwargs)
            if outcome is None:
                return await original(client, *args, **kwargs)
            try:
                return await stock.__get__(client, type(client))(*args, **kwargs)
            except Exception as error:
                if error is outcome.error:
                    raise
                calls.failed("spans.clients", error)
            finally:
                _outcome.reset(outcome.token)
            if outcome.error is not None:
                raise outcome.error
            return outcome.answer if outcome.answered else await original(client, *args, **kwargs)

        return call_async

    @wraps(original)
    def call(client: Any, *args: Any, **kwargs: Any) -> Any:
        outcome, args, kwargs = calls.begin(client, original.__name__, args, kwargs)
        if outcome is None:
            return original(client, *args, **kwargs)
        try:
            return stock.__get__(client, type(client))(*args, **kwargs)
        except Exception as error:
            if error is outcome.error:
                raise
            calls.failed("spans.clients", error)
        finally:
            _outcome.reset(outcome.token)
        if outcome.error is not None:
            raise outcome.error
        return outcome.answer if outcome.answered else original(client, *args, **kwargs)

    return call
