"""The shared store: every process writes its own segment, a reader sums them all (see README.md)."""

from telemetry.store.base import Store
from telemetry.store.memory import MemoryStore
from telemetry.store.table import Table

__all__ = ["MemoryStore", "Store", "Table"]
