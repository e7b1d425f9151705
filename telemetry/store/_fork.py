"""One set of fork hooks for all stores, because hooks cannot be taken out again."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forks(Protocol):
    """What a store does around a fork."""

    def before_fork(self) -> None:
        """Take the store's locks, so that no thread is inside while the process is copied."""

    def after_fork_in_parent(self) -> None:
        """Give the locks back."""

    def after_fork_in_child(self) -> None:
        """Let go of everything that is the parent's."""


_watched: WeakSet[Forks] = WeakSet()
_held: list[Forks] = []


def watch(store: Forks) -> None:
    """Have `store` told of every fork for as long as it exists."""
    _watched.add(store)


def _before() -> None:
    _held.extend(_watched)
    for store in _held:
        store.before_fork()


def _in_parent() -> None:
    while _held:
        _held.pop().after_fork_in_parent()


def _in_child() -> None:
    while _held:
        _held.pop().after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
