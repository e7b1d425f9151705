"""The shared store: every process writes its own segment, a reader sums them all (see README.md)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from telemetry.store.base import Store
from telemetry.store.memory import MemoryStore
from telemetry.store.table import Histogram, Table

try:
    from telemetry.store.mapped import MappedStore
except ModuleNotFoundError as missing:  # no fcntl on this system
    if missing.name != "fcntl":
        raise
    _shared = False
else:
    _shared = True

__all__ = ["Histogram", "MappedStore", "MemoryStore", "Store", "Table", "open_store"]


def open_store(
    identity: Sequence[str],
    directory: str | os.PathLike[str] | None = None,
    *,
    private: bool = False,
    on_attach: Callable[[], None] | None = None,
) -> Store:
    """The store of a service; nothing is made on disk before the first record.

    `identity` tells this service from others of the same user on this machine; `directory` names the
    place itself instead. A `private` store is temporary and only this process and its children have it.
    `on_attach` is called each time a process has come into a file, under the store's lock: it must not wait.
    """
    if not _shared:
        return MemoryStore("this system has no file locks (fcntl): each process counts for itself")
    from telemetry.store.directory import Directory, locate
    from telemetry.store.directory import private as private_directory

    if directory is not None:
        return MappedStore(Directory(Path(directory).absolute()), on_attach)
    try:
        place = private_directory() if private else locate(identity)
    except OSError as error:
        return MemoryStore(f"no directory can be had, each process counts for itself; name one: {error}")
    return MappedStore(place, on_attach)
