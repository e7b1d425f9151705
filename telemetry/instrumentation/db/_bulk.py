"""How many parameter sets `executemany` is given, without consuming an iterator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def counted(params: Any) -> tuple[Any, Callable[[], int]]:
    """The parameter sets to execute with, and how many were given once the statement has ended."""
    if hasattr(params, "__len__"):
        return params, params.__len__
    if not hasattr(params, "__iter__"):
        return params, int
    counter = _Counter(iter(params))
    return counter, lambda: counter.taken


class _Counter:
    def __init__(self, params: Iterator[Any]) -> None:
        self._params = params
        self.taken = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        taken = next(self._params)
        self.taken += 1
        return taken
